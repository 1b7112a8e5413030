using System.Buffers;
using FenceGateway.TokenStore.Etcd.Wire;
using Google.Protobuf;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// What an open store is made of, and what concerns all of it: whether etcd still has the data that it had.
/// </summary>
internal sealed class OpenEtcdStore : IAsyncDisposable
{
    private static readonly SearchValues<char> PrefixLetters = SearchValues.Create(
        "abcdefghijklmnopqrstuvwxyz0123456789_-");

    private readonly EtcdClient _client;
    private readonly EtcdCalls _calls;
    private readonly EtcdResourceCache _cache = new();
    private readonly EtcdWatcher _watcher;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private string? _epoch;
    private long _revision;

    public OpenEtcdStore(
        EtcdTokenStoreOptions options, Action<ResourceChange> changed, TimeProvider clock, ILogger logger)
    {
        ThrowIfInvalid(options);
        _logger = logger;
        _client = new EtcdClient(options, clock);
        Location = _client.Location;
        _calls = new EtcdCalls(_client, new EtcdKeys(options.KeyPrefix));
        var gone = new GoneSessions(clock);
        Leases = new EtcdLeases(_calls);
        Steps = new EtcdSteps(_calls, gone, _cache, clock);
        Resources = new EtcdResources(_calls, gone, _cache, clock);
        var changes = new EtcdChanges(_calls, Leases, gone, _cache, changed);
        _watcher = new EtcdWatcher(_client, _calls, changes, Location, clock, logger);
    }

    /// <summary>Where etcd is, for people.</summary>
    public string Location { get; }

    /// <summary>Requests sent since the start.</summary>
    public long Calls => _client.Calls;

    public EtcdLeases Leases { get; }

    public EtcdSteps Steps { get; }

    public EtcdResources Resources { get; }

    /// <summary>Asks etcd who it is; the first store in a prefix gives it its epoch.</summary>
    public async Task<(string Version, int Voters)> OpenAsync(CancellationToken cancellationToken)
    {
        var description = await _calls.DescribeAsync(cancellationToken);
        var epoch = _calls.Keys.Epoch;
        var asked = LastRevision();
        var reply = await _calls.TransactAsync([], [EtcdCalls.Read(epoch)], [], cancellationToken);
        if (EtcdCalls.Found(reply, 0) is null)
        {
            // A user that may only read gets no further than here, and only where no gateway has ever been.
            var made = EtcdChange.Put(epoch, ByteString.CopyFromUtf8(Guid.NewGuid().ToString("N")));
            _ = await _calls.TransactAsync(
                [EtcdChange.IsAbsent(epoch)], [made], [EtcdCalls.Read(epoch)], cancellationToken);
            reply = await _calls.TransactAsync([], [EtcdCalls.Read(epoch)], [], cancellationToken);
        }

        CheckData(asked, reply.Header.Revision, EtcdCalls.Found(reply, 0));
        return description;
    }

    /// <summary>
    /// Starts a session; from then on changes are watched, for only a gateway with a session waits for any.
    /// </summary>
    public async Task<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        var (granted, revision) = await Leases.StartAsync(session, timeToLive, cancellationToken);
        _watcher.Start(revision + 1);
        return granted;
    }

    public async Task<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken)
    {
        var asked = LastRevision();
        var beat = await Leases.BeatAsync(session, cancellationToken);
        CheckData(asked, beat.Revision, beat.Epoch);
        return beat.Reply;
    }

    public async ValueTask DisposeAsync()
    {
        await _watcher.DisposeAsync();
        _client.Dispose();
    }

    /// <summary>Tells when etcd lost data. Nothing can be done about it here, but somebody has to know.</summary>
    /// <param name="asked">The highest revision seen when the question was sent.</param>
    /// <param name="revision">The revision of the answer; etcd's never go down.</param>
    /// <param name="epoch">The key of the epoch.</param>
    private void CheckData(long asked, long revision, KeyValue? epoch)
    {
        var id = epoch?.Value.ToStringUtf8() ?? "none";
        lock (_gate)
        {
            if (_epoch is { } before && before != id)
            {
                EtcdLog.EpochChanged(_logger, Location, before, id);
                _cache.Clear();
            }

            if (revision < asked)
            {
                EtcdLog.WentBack(_logger, Location, asked, revision);
                _cache.Clear();
                _revision = 0;
            }

            _epoch = id;
            _revision = Math.Max(_revision, revision);
        }
    }

    private long LastRevision()
    {
        lock (_gate)
        {
            return _revision;
        }
    }

    private static void ThrowIfInvalid(EtcdTokenStoreOptions options)
    {
        if (options.Endpoints is not { Count: > 0 } endpoints || !endpoints.All(IsEndpoint))
        {
            throw new EtcdException(
                "TokenStore:Etcd:Endpoints needs addresses such as http://host:2379, without user or path.",
                notTaken: true);
        }

        if (options.KeyPrefix is not { Length: > 0 and <= 32 } prefix
            || prefix.AsSpan().ContainsAnyExcept(PrefixLetters))
        {
            throw new EtcdException("TokenStore:KeyPrefix has to be 1 to 32 of a-z, 0-9, _ and -.", notTaken: true);
        }
    }

    private static bool IsEndpoint(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
        && uri.UserInfo.Length == 0 && uri.PathAndQuery is "/" && uri.Fragment.Length == 0;
}
