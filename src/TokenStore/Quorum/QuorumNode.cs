using FenceGateway.TokenStore.Redis;
using FenceGateway.TokenStore.Tls;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>One of the Redis masters, as this gateway reaches it.</summary>
/// <remarks>
/// A node that leaves calls unanswered is silent: it is asked nothing but heartbeats until it answers again, so that
/// nobody waits for it and nothing heaps up. What it misses meanwhile it has honestly never promised.
/// </remarks>
internal sealed class QuorumNode(int index, RedisLinkSettings settings, ILogger logger, IScriptRunner? runner = null)
    : IAsyncDisposable
{
    /// <summary>Calls that may wait for an answer at once.</summary>
    private const int MaxOutstanding = 4096;

    /// <summary>Heartbeats that a silent node may leave unanswered.</summary>
    private const int MaxProbes = 8;

    private readonly Lock _gate = new();
    private Task _connecting = Task.CompletedTask;
    private volatile RedisLink? _link;
    private volatile bool _disposed;
    private volatile bool _silent;
    private int _outstanding;
    private int _unanswered;

    public int Index => index;

    /// <summary>The address, for people; no secret.</summary>
    public string Location => settings.Location;

    /// <summary>Which of the server's databases; each node may have another one.</summary>
    public int Database => settings.Options.DefaultDatabase ?? 0;

    /// <summary>The connection; null while there is none yet.</summary>
    public RedisLink? Link => _link;

    /// <summary>
    /// Whether the settings and the part of this node in the store have been looked at since it was connected to.
    /// </summary>
    public bool IsChecked { get; set; }

    /// <summary>Why the node does not count although it answers; null when it does, as far as known.</summary>
    public string? Abstention { get; set; }

    /// <summary>Whether it was said that the node has lost its data.</summary>
    public bool HasForgotten { get; set; }

    /// <summary>What the node said of its settings; null when it could not be asked yet.</summary>
    public RedisServerFacts? Facts { get; set; }

    /// <summary>Whether every call has been answered, those that nobody waits for any more included.</summary>
    public bool IsSettled => Volatile.Read(ref _outstanding) == 0;

    /// <summary>Whether even heartbeats are left unanswered, so that only another connection can help.</summary>
    public bool IsDeaf => _silent && Volatile.Read(ref _unanswered) >= MaxProbes;

    /// <summary>Whether there is any use in asking it.</summary>
    public bool IsReachable => Runner is { Fault: null } && !_silent;

    private IScriptRunner? Runner => runner ?? Link;

    /// <summary>What each node is reached with.</summary>
    /// <exception cref="TokenStoreUnavailableException">The settings are none of a quorum.</exception>
    public static RedisLinkSettings[] ReadAll(QuorumTokenStoreOptions options)
    {
        if (options.Nodes.Count is < QuorumTokenStoreOptions.MinNodes or > QuorumTokenStoreOptions.MaxNodes)
        {
            throw TokenStoreUnavailableException.NothingTaken(
                $"A quorum has {QuorumTokenStoreOptions.MinNodes} to {QuorumTokenStoreOptions.MaxNodes} nodes, and "
                + $"{options.Nodes.Count} are configured.");
        }

        var tls = StoreTls.Of("TokenStore:Quorum", options.CertificateAuthority, options.ClientCertificate);
        var settings = options.Nodes.Select(node => RedisLinkSettings.Read(node, tls, options.User, options.Password))
            .ToArray();
        if (Array.Find(settings, static s => s.IsBehindSentinels) is { } service)
        {
            throw TokenStoreUnavailableException.NothingTaken(
                $"{service.Location}: each node of a quorum is one master of its own. One that Sentinels replace may "
                    + "lack what the node has promised.");
        }

        if (settings.DistinctBy(static s => s.Location, StringComparer.Ordinal).Count() < settings.Length
            || Array.Exists(settings, static s => s.Options.EndPoints.Count != 1))
        {
            throw TokenStoreUnavailableException.NothingTaken(
                "Each node of a quorum is one address, and no two are the same.");
        }

        return settings;
    }

    /// <summary>
    /// Connects, unless a connection is there or comes, or anew when nothing comes on it. Goes on when nobody waits any
    /// more.
    /// </summary>
    /// <param name="leaveSilent">Whether silence is enough to leave the connection behind, or heartbeats have to be
    /// lost too.</param>
    public Task ConnectAsync(bool leaveSilent = false)
    {
        lock (_gate)
        {
            return _connecting.IsCompleted && (_link is null || (leaveSilent ? _silent : IsDeaf))
                ? _connecting = AttachAsync()
                : _connecting;
        }
    }

    /// <summary>
    /// Runs a script, to the end whoever still waits: the answer tells that the node is back. A silent node is asked
    /// only with <paramref name="probe"/>.
    /// </summary>
    public async ValueTask<RedisResult> RunAsync(
        RedisScript script, RedisKey[] keys, RedisValue[] arguments, bool probe = false)
    {
        if (Runner is not { } link)
        {
            throw TokenStoreUnavailableException.NothingTaken($"Redis {Location} is not connected.");
        }

        if (_silent ? !probe
            || Volatile.Read(ref _unanswered) >= MaxProbes : Volatile.Read(ref _outstanding) >= MaxOutstanding)
        {
            throw TokenStoreUnavailableException.NothingTaken($"Redis {Location} leaves calls unanswered.");
        }

        Interlocked.Increment(ref _outstanding);
        Interlocked.Increment(ref _unanswered);
        try
        {
            return await link.RunAsync(script, keys, arguments, CancellationToken.None);
        }
        finally
        {
            // Answered, or the connection is gone: in either case nobody waits for nothing any more.
            lock (_gate)
            {
                Interlocked.Decrement(ref _outstanding);
                _silent = false;
                Volatile.Write(ref _unanswered, 0);
            }
        }
    }

    /// <summary>
    /// It was waited for long enough. Not if the last answer has come just now: nothing would be left to end the
    /// silence.
    /// </summary>
    public void FallSilent()
    {
        lock (_gate)
        {
            _silent = _outstanding > 0;
        }
    }

    /// <summary>It leaves questions unanswered that are not counted; a heartbeat ends the silence.</summary>
    public void Silence() => _silent = true;

    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        if (Interlocked.Exchange(ref _link, null) is { } link)
        {
            await link.DisposeAsync();
        }
    }

    private async Task AttachAsync()
    {
        var link = await RedisLink.ConnectAsync(settings, logger, CancellationToken.None);
        IsChecked = false;
        _silent = false;
        Volatile.Write(ref _unanswered, 0);
        if (Interlocked.Exchange(ref _link, link) is { } before)
        {
            await before.DisposeAsync();
        }

        if (_disposed)
        {
            await DisposeAsync();
        }
    }
}
