namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// Marks in etcd 3.4 or newer, by gRPC. A step is one transaction that compares the revisions it was
/// decided on and the session's key; sessions are leases; changes are heard from a watch. The names of the keys:
/// docs/stores.md.
/// </summary>
/// <remarks>Safe for use by several threads.</remarks>
public sealed class EtcdTokenStore : ITokenStore
{
    private readonly EtcdTokenStoreOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly Turns _opening = new();
    private volatile OpenEtcdStore? _parts;
    private volatile TokenStoreInfo _info = new("Etcd", SafetyGrade.Single, "not open");
    private volatile string? _fault = "The token store is not open.";
    private bool _disposed;

    /// <summary>Makes a store that is not open yet.</summary>
    public EtcdTokenStore(EtcdTokenStoreOptions options, TimeProvider clock, ILogger<EtcdTokenStore> logger)
    {
        _options = options;
        _clock = clock;
        _logger = logger;
    }

    /// <inheritdoc/>
    public TokenStoreInfo Info => _info;

    /// <inheritdoc/>
    public string? Fault => _fault;

    /// <summary>Requests sent to etcd since the start.</summary>
    internal long RoundTrips => _parts?.Calls ?? 0;

    /// <inheritdoc/>
    public event Action<ResourceChange>? Changed;

    /// <inheritdoc/>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        using var turn = await _opening.TakeAsync(cancellationToken);
        try
        {
            if (_disposed)
            {
                throw TokenStoreUnavailableException.NothingTaken("The token store is closed.");
            }

            _parts ??= new OpenEtcdStore(_options, change => Changed?.Invoke(change), _clock, _logger);
            var (version, voters) = await _parts.OpenAsync(cancellationToken);
            _info = EtcdGrade.Of(voters, _parts.Location);
            _fault = null;
            EtcdLog.Opened(_logger, version, _parts.Location, voters, _info.Grade);
        }
        catch (EtcdException e)
        {
            throw e.ToUnavailable();
        }
    }

    /// <inheritdoc/>
    public ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken) =>
        CallAsync(
            (session, timeToLive), static (parts, a, token) => parts.StartSessionAsync(a.session, a.timeToLive, token),
            cancellationToken);

    /// <inheritdoc/>
    public ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken) =>
        CallAsync(session, static (parts, s, token) => parts.HeartbeatAsync(s, token), cancellationToken);

    /// <inheritdoc/>
    public async ValueTask EndSessionAsync(string session, bool isClean, CancellationToken cancellationToken) =>
        await CallAsync(
            (session, isClean), static (parts, a, token) => Done(parts.Leases.EndAsync(a.session, a.isClean, token)),
            cancellationToken);

    /// <summary>0: what this process remembers of marks is not kept as an answer.</summary>
    public long PeekMark(ResourceKey resource) => 0;

    /// <inheritdoc/>
    public ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        EnterRequest.ThrowIfInvalid(request);
        return CallAsync(request, static (parts, r, token) => parts.Steps.EnterAsync(r, token), cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken) =>
        await CallAsync(
            (session, registrations),
            static (parts, a, token) => Done(parts.Resources.WithdrawAsync(a.session, a.registrations, token)),
            cancellationToken);

    /// <inheritdoc/>
    public ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        CallAsync(resource, static (parts, r, token) => parts.Resources.FindAsync(r, token), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken)
    {
        MarkQuery.ThrowIfInvalid(query);
        return CallAsync(query, static (parts, q, token) => parts.Resources.ListAsync(q, token), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        CallAsync(0, static (parts, _, token) => parts.Resources.CountAsync(token), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        SetMarkRequest.ThrowIfInvalid(request);
        return CallAsync(
            request, static (parts, r, token) => parts.Resources.SetMarkAsync(r, token), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        CallAsync(resource, static (parts, r, token) => parts.Resources.ResolveAsync(r, token), cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using var turn = await _opening.TakeAsync();
        _disposed = true;
        _fault = "The token store is closed.";
        if (_parts is { } parts)
        {
            _parts = null;
            await parts.DisposeAsync();
        }
    }

    private async ValueTask<T> CallAsync<TArgument, T>(
        TArgument argument, Func<OpenEtcdStore, TArgument, CancellationToken, Task<T>> call,
        CancellationToken cancellationToken)
    {
        if (_fault is { } fault || _parts is not { } parts)
        {
            throw TokenStoreUnavailableException.NothingTaken(_fault ?? "The token store is closed.");
        }

        try
        {
            return await call(parts, argument, cancellationToken);
        }
        catch (EtcdException e)
        {
            throw e.ToUnavailable();
        }
        catch (ObjectDisposedException e)
        {
            throw new TokenStoreUnavailableException("The token store is closed.", e);
        }
    }

    private static async Task<bool> Done(Task task)
    {
        await task;
        return true;
    }
}
