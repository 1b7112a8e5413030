using System.Diagnostics.Metrics;

namespace FenceGateway.TokenStore;

/// <summary>
/// This gateway's client of a token store: opens it, starts a session there, keeps it alive by heartbeats, and starts
/// another one when it was lost. All calls of the store go through here.
/// </summary>
/// <remarks>
/// The session ends here at <i>the sending of the last heartbeat that was answered + time to live − a tenth</i>, on the
/// monotonic clock of this process: before the store can end it, unless clocks run apart by more than that tenth. A
/// store whose session lives as long as the process (one gateway alone) is called directly, without a bound and without
/// heartbeats.
/// </remarks>
public sealed class StoreClient : IAsyncDisposable
{
    private const string JustEnded = "The session has just ended; try again.";
    private static readonly TimeSpan LongestCall = TimeSpan.FromSeconds(2);

    private readonly StoreClientOptions _options;
    private readonly ILogger _logger;
    private readonly StoreMetrics _metrics;
    private readonly StoreCalls _calls;
    private readonly SessionKeeper _keeper;
    private long _sequence;
    private int _closed;

    /// <summary>Makes the client; nothing is asked of the store before <see cref="OpenAsync"/>.</summary>
    /// <param name="store">The store; owned from now on.</param>
    /// <param name="options">Read once.</param>
    /// <param name="time">Its monotonic clock judges the session.</param>
    /// <param name="logger">Where it reports.</param>
    /// <param name="meters">Makes the meter <c>FenceGateway</c>.</param>
    public StoreClient(
        ITokenStore store, StoreClientOptions options, TimeProvider time, ILogger<StoreClient> logger,
        IMeterFactory meters)
    {
        Store = store;
        _options = options;
        _logger = logger;
        _metrics = new StoreMetrics(meters);
        _calls = new StoreCalls(
            store, TimeSpan.FromTicks(Math.Min(options.TimeToLive.Ticks / 2, LongestCall.Ticks)), time, _metrics);
        _keeper = new SessionKeeper(store, _calls, options, time, logger, _metrics)
        {
            Revoked = change => Changed?.Invoke(change, true),
            Replaced = ended => Replaced?.Invoke(ended),
        };
        store.Changed += change =>
        {
            _metrics.Noticed();
            Changed?.Invoke(change, false);
        };
    }

    /// <summary>What the store is and promises.</summary>
    public TokenStoreInfo Info => Store.Info;

    /// <summary>What the store has to promise at least; null for anything.</summary>
    public SafetyGrade? RequireGrade => _options.RequireGrade;

    /// <summary>The session; null before the first. It may have ended.</summary>
    public GatewaySession? Current => _keeper.Current;

    /// <summary>Why nothing new can be admitted, as a sentence; null while the store serves.</summary>
    public string? Fault =>
        Current is not { IsAlive: true }
            ? _keeper.Fault ?? "This gateway has no session in the token store."
            : Store.Fault ?? _calls.Refusal;

    /// <summary>Why a step would not even be sent now; null when it would.</summary>
    internal string? Refusal => Current is not { IsAlive: true } ? Fault ?? JustEnded : _calls.Refusal;

    /// <summary>Calls of the store since the start.</summary>
    public long CallCount => _metrics.CallCounts.Sum(calls => calls.Value);

    /// <summary>
    /// The same by operation, named as in the metric <c>fencegateway.token_store.calls</c>; those that were made.
    /// </summary>
    public IReadOnlyDictionary<string, long> CallCounts => _metrics.CallCounts;

    /// <summary>Changes of resources that the store has told of since the start, this gateway's own included.</summary>
    public long NoticeCount => _metrics.NoticeCount;

    internal ITokenStore Store { get; }

    /// <inheritdoc cref="StoreClientOptions.Random"/>
    internal Random Random => _options.Random;

    /// <summary>
    /// A resource changed; true when this session is certainly registered below the mark. Called outside of any lock.
    /// </summary>
    internal event Action<ResourceChange, bool>? Changed;

    /// <summary>A session has been replaced: this is the old one. Called outside of any lock.</summary>
    internal event Action<GatewaySession>? Replaced;

    /// <summary>Opens the store and starts the first session.</summary>
    /// <exception cref="TokenStoreUnavailableException">The store cannot be opened, and is not to be waited
    /// for.</exception>
    /// <exception cref="SafetyGradeException">It promises less than is required.</exception>
    public ValueTask OpenAsync(CancellationToken cancellationToken) => _keeper.OpenAsync(cancellationToken);

    /// <summary>The next number for a step (<see cref="EnterRequest.Sequence"/>).</summary>
    internal long NextSequence() => Interlocked.Increment(ref _sequence);

    /// <summary>The latest such number.</summary>
    internal long LastSequence => Volatile.Read(ref _sequence);

    internal ValueTask<EnterReply> EnterAsync(GatewaySession? session, EnterRequest request, bool afterWait = false)
    {
        if (session is null or { IsAlive: false })
        {
            return ValueTask.FromException<EnterReply>(
                TokenStoreUnavailableException.NothingTaken(Fault ?? JustEnded));
        }

        return _calls.IsLocal ? CallEnter(request, afterWait) : EnterSharedAsync(session, request, afterWait);
    }

    /// <summary>Goes out in any case: others wait for it, and there is one at a time, of many registrations.</summary>
    internal async ValueTask WithdrawAsync(string session, IReadOnlyList<Registration> registrations) =>
        await _calls.ProbeAsync(
        StoreOperation.Withdraw, (session, registrations),
        static async (store, a, token) =>
        {
            await store.WithdrawAsync(a.session, a.registrations, token);
            return true;
        },
        CancellationToken.None);

    /// <inheritdoc cref="ITokenStore.FindAsync"/>
    public ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken) => _calls
        .RunAsync(
        StoreOperation.Read, resource, static (store, key, token) => store.FindAsync(key, token), cancellationToken);

    /// <inheritdoc cref="ITokenStore.ListAsync"/>
    public ValueTask<IReadOnlyList<MarkRecord>> ListAsync(
        MarkQuery query, CancellationToken cancellationToken) => _calls.RunAsync(
        StoreOperation.Read, query, static (store, q, token) => store.ListAsync(q, token), cancellationToken);

    /// <inheritdoc cref="ITokenStore.CountAsync"/>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => _calls.RunAsync(
        StoreOperation.Read, 0, static (store, _, token) => store.CountAsync(token), cancellationToken);

    internal ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken) => _calls
        .RunAsync(
        StoreOperation.SetMark, request, static (store, r, token) => store.SetMarkAsync(r, token), cancellationToken);

    internal ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) => _calls.RunAsync(
        StoreOperation.Resolve, resource, static (store, key, token) => store.ResolveAsync(key, token),
        cancellationToken);

    /// <summary>
    /// Ends the session and closes the store. With <paramref name="isClean"/> the caller vouches that nothing of this
    /// gateway is in flight or in doubt.
    /// </summary>
    /// <exception cref="TokenStoreUnavailableException">The store could not be told.</exception>
    public async ValueTask CloseAsync(bool isClean)
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0)
        {
            return;
        }

        var session = await _keeper.StopAsync();
        try
        {
            if (session is not null && _calls.IsLocal)
            {
                await Store.EndSessionAsync(session.Id, isClean, CancellationToken.None);
            }
            else if (session is not null)
            {
                await EndAtStoreAsync(session.Id, isClean);
            }
        }
        finally
        {
            await Store.DisposeAsync();
        }
    }

    /// <summary>Closes without vouching for anything.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await CloseAsync(isClean: false);
        }
        catch (TokenStoreUnavailableException e)
        {
            SessionLog.FarewellFailed(_logger, Current?.Id ?? "", e.Message);
        }

        _keeper.Dispose();
    }

    private ValueTask<EnterReply> CallEnter(EnterRequest request, bool afterWait) => _calls.RunAsync(
        afterWait ? StoreOperation.AskAgain : StoreOperation.Enter, request,
        static (store, r, token) => store.EnterAsync(r, token), CancellationToken.None);

    private async ValueTask<EnterReply> EnterSharedAsync(GatewaySession session, EnterRequest request, bool afterWait)
    {
        try
        {
            return await CallEnter(request, afterWait);
        }
        catch (TokenStoreUnavailableException e) when (e.SessionEnded)
        {
            _keeper.Lose(session, "The store does not know it any more.");
            throw;
        }
    }

    private async Task EndAtStoreAsync(string session, bool isClean) => await _calls.ProbeAsync(
        StoreOperation.EndSession, (session, isClean),
        static async (store, a, token) =>
        {
            await store.EndSessionAsync(a.session, a.isClean, token);
            return true;
        },
        CancellationToken.None);
}
