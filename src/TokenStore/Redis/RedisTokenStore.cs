using FenceGateway.TokenStore.Tls;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>
/// Marks in one Redis, or in one slot of a Redis Cluster: every step is one script, judged by the server's clock. What
/// that promises depends on the server's settings, which are read with every opening.
/// </summary>
public sealed class RedisTokenStore : ITokenStore
{
    private const string NotOpen = "The token store is not open.";
    private const string Closed = "The token store is closed.";

    /// <summary>Sentinels and master are connected to anew; the next heartbeat tries again.</summary>
    private static readonly TimeSpan LongestMove = TimeSpan.FromSeconds(5);

    private readonly RedisTokenStoreOptions _options;
    private readonly ILogger _logger;
    private readonly RedisKeys _keys;
    private readonly RedisHistory _history;
    private readonly InspectionClock _inspections;
    private readonly Turns _opening = new();
    private volatile RedisLink? _link;
    private volatile TokenStoreInfo _info;
    private volatile string? _fault = NotOpen;
    private volatile bool _disposed;
    private int _inspecting;
    private int _following;

    /// <summary>Makes the store; nothing is connected before <see cref="OpenAsync"/>.</summary>
    public RedisTokenStore(RedisTokenStoreOptions options, TimeProvider clock, ILogger<RedisTokenStore> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _logger = logger;
        _keys = new RedisKeys(options.KeyPrefix);
        _history = new RedisHistory(clock, logger);
        _inspections = new InspectionClock(clock);
        _info = new TokenStoreInfo("Redis", SafetyGrade.BestEffort, "not connected yet");
    }

    /// <inheritdoc/>
    public TokenStoreInfo Info => _info;

    /// <inheritdoc/>
    public string? Fault => _fault ?? _link?.Fault;

    /// <inheritdoc/>
    public event Action<ResourceChange>? Changed;

    private RedisLink Link => _fault is null && _link is { } link
        ? link
        : throw TokenStoreUnavailableException.NothingTaken(_fault ?? NotOpen);

    /// <inheritdoc/>
    /// <remarks>Opened again, it connects anew: a connection on which nothing comes any more is left behind.</remarks>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        using var turn = await _opening.TakeAsync(cancellationToken);
        try
        {
            await OpenLockedAsync(cancellationToken);
        }
        catch (TokenStoreUnavailableException e) when (_link is null && !_disposed)
        {
            _fault = e.Message;
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        await SessionScripts.StartAsync(Link, _keys, session, timeToLive, cancellationToken);
        return timeToLive;
    }

    /// <inheritdoc/>
    public async ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken)
    {
        var link = Link;
        if (link.Settings.IsBehindSentinels && Interlocked.Exchange(ref _following, 1) == 0)
        {
            // Also when the master is away, which is when there is another one.
            _ = FollowAsync(link);
        }

        var sent = _history.Now;
        var reply = await SessionScripts.HeartbeatAsync(link, _keys, session, cancellationToken);

        // Also of a session that has ended: a clock that was set is what may have ended it.
        _history.Heard(link.Location, sent, reply.ServerTime, reply.Changes);
        if (_inspections.IsDue(link) && Interlocked.Exchange(ref _inspecting, 1) == 0)
        {
            // The heartbeat does not wait for it; the next one finds a grade that has changed.
            _ = InspectAsync(link);
        }

        return reply.Heartbeat;
    }

    /// <inheritdoc/>
    public ValueTask EndSessionAsync(string session, bool isClean, CancellationToken cancellationToken) =>
        SessionScripts.EndAsync(Link, _keys, session, isClean, cancellationToken);

    /// <inheritdoc/>
    public long PeekMark(ResourceKey resource) => 0;

    /// <inheritdoc/>
    public ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        EnterRequest.ThrowIfInvalid(request);
        return EnterScript.RunAsync(Link, _keys, request, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken) =>
        WithdrawScript.RunAsync(Link, _keys, session, registrations, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        MarkScripts.FindAsync(Link, _keys, resource, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken)
    {
        MarkQuery.ThrowIfInvalid(query);
        return RedisListing.ListAsync(Link, _keys, query, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        var link = Link;
        return link.AskAsync(
            () => link.Database.SortedSetLengthAsync(_keys.Index, flags: RedisLink.Master), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        SetMarkRequest.ThrowIfInvalid(request);
        return MarkScripts.SetAsync(Link, _keys, request, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        MarkScripts.ResolveAsync(Link, _keys, resource, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        _fault = Closed;
        if (Interlocked.Exchange(ref _link, null) is { } link)
        {
            await link.DisposeAsync();
        }
    }

    private async Task OpenLockedAsync(CancellationToken cancellationToken)
    {
        var settings = RedisLinkSettings.Read(
            _options.Configuration,
            StoreTls.Of("TokenStore:Redis", _options.CertificateAuthority, _options.ClientCertificate), _options.User,
            _options.Password);
        settings.Options.SentinelUser = _options.SentinelUser ?? settings.Options.SentinelUser;
        settings.Options.SentinelPassword = _options.SentinelPassword?.Invoke() ?? settings.Options.SentinelPassword;
        _info = _info with { Location = settings.Location };
        var link = await RedisLink.ConnectAsync(settings, _logger, cancellationToken);
        try
        {
            using var limit = RedisLink.LimitQuestions(cancellationToken);
            _inspections.Begin(link);
            var facts = await RedisInspection.InspectAsync(link, _keys, limit.Token);
            var sent = _history.Now;
            var (epoch, changes, created, serverTime) = await OpeningScript.RunAsync(link, _keys, limit.Token);
            await SubscribeAsync(link, limit.Token);
            if (created)
            {
                RedisLog.Created(_logger, link.Location, _options.KeyPrefix);
            }

            _history.Opened(link.Location, epoch, sent, serverTime, changes);
            var (grade, reasons) = facts.Grade();
            _info = new TokenStoreInfo("Redis", grade, link.Location, reasons);
        }
        catch
        {
            await link.DisposeAsync();
            throw;
        }

        var before = Interlocked.Exchange(ref _link, link);
        _fault = null;
        if (_disposed)
        {
            // Closed meanwhile.
            await DisposeAsync();
            throw TokenStoreUnavailableException.NothingTaken(Closed);
        }

        if (before is not null)
        {
            await before.DisposeAsync();
        }
    }

    /// <summary>Asks the server again what it promises.</summary>
    private async Task InspectAsync(RedisLink link)
    {
        try
        {
            _inspections.Begin(link);
            using var limit = RedisLink.LimitQuestions(CancellationToken.None);
            var (grade, reasons) = (await RedisInspection.InspectAsync(link, _keys, limit.Token)).Grade();
            var before = _info;
            if (_link == link
                && !(before.Grade == grade && before.GradeReasons.SequenceEqual(reasons, StringComparer.Ordinal)))
            {
                if (before.Grade != grade)
                {
                    RedisLog.GradeChanged(_logger, link.Location, grade, before.Grade, string.Join(' ', reasons));
                }

                _info = new TokenStoreInfo("Redis", grade, link.Location, reasons);
            }
        }
        catch (Exception e) when (e is TokenStoreUnavailableException or ObjectDisposedException or RedisException)
        {
            // Away, or no master any more: the steps fail and say so. It is asked again when its connection is back, or
            // in a minute.
        }
        finally
        {
            Interlocked.Exchange(ref _inspecting, 0);
        }
    }

    /// <summary>
    /// Connects to another master, once Sentinels name one. The session goes on there if it is known there.
    /// </summary>
    private async Task FollowAsync(RedisLink link)
    {
        try
        {
            if (await link.FindSuccessorAsync(CancellationToken.None) is { } master && _link == link)
            {
                RedisLog.MasterChanged(_logger, link.Location, master);
                using var limit = new CancellationTokenSource(LongestMove);
                await OpenAsync(limit.Token);
            }
        }
        catch (Exception e) when (e is TokenStoreUnavailableException or ObjectDisposedException or RedisException)
        {
            // The steps fail and say so; the next heartbeat asks again.
        }
        finally
        {
            Interlocked.Exchange(ref _following, 0);
        }
    }

    /// <summary>Listens for changes; the client subscribes again by itself whenever its connection is back.</summary>
    private async Task SubscribeAsync(RedisLink link, CancellationToken cancellationToken)
    {
        try
        {
            await link.SubscribeAsync(
                _keys.ChannelIn(link.Database.Database), change => Changed?.Invoke(change), cancellationToken);
        }
        catch (TokenStoreUnavailableException e)
        {
            // Heartbeats tell of revocations as well, only later.
            RedisLog.NotSubscribed(_logger, link.Location, _keys.ChannelIn(link.Database.Database)!, e.Message);
        }
    }
}
