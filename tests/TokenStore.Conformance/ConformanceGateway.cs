using System.Threading.Channels;
using FenceGateway.Fencing;
using FenceGateway.TestKit;

namespace FenceGateway.TokenStore.Conformance;

/// <summary>
/// One gateway as a store sees it: an instance of the store and, one after the other, sessions in it.
/// </summary>
/// <remarks>Sends no heartbeat by itself.</remarks>
public sealed class ConformanceGateway
{
    /// <summary>Longer than any test.</summary>
    public static readonly TimeSpan LongHold = TimeSpan.FromHours(24);

    /// <summary>Long enough for every test that does not wait for an expiry, without heartbeats.</summary>
    public static readonly TimeSpan LongLife = TimeSpan.FromSeconds(30);

    private readonly Channel<ResourceChange> _changes = Channel.CreateUnbounded<ResourceChange>();
    private long _sequence;

    public ConformanceGateway(ITokenStore store)
    {
        Store = store;
        store.Changed += change => _changes.Writer.TryWrite(change);
    }

    public ITokenStore Store { get; }

    /// <summary>The latest session.</summary>
    public string Session { get; private set; } = "";

    /// <summary>How long the latest session lives without a heartbeat.</summary>
    public TimeSpan TimeToLive { get; private set; }

    /// <summary>Of the latest step.</summary>
    public long Sequence => Volatile.Read(ref _sequence);

    public static ResourceKey Key(string text) =>
        ResourceKey.TryCreate(text, out var key) ? key : throw new ArgumentException("Not a key.", nameof(text));

    /// <summary>Starts a session of a new name, which becomes the gateway's.</summary>
    public async Task StartSessionAsync(TimeSpan? timeToLive = null)
    {
        var session = Guid.NewGuid().ToString("N");
        TimeToLive = await Store.StartSessionAsync(session, timeToLive ?? LongLife, default);
        Session = session;
    }

    public EnterRequest Request(
        string key, long token, long? oldest = null, TimeSpan? hold = null, long? sequence = null) =>
        new(Session, Key(key), new FencingToken(token), new FencingToken(oldest ?? token),
            sequence ?? Interlocked.Increment(ref _sequence), hold ?? LongHold);

    public async Task<EnterReply> EnterAsync(
        string key, long token, long? oldest = null, TimeSpan? hold = null, long? sequence = null) =>
        await Store.EnterAsync(Request(key, token, oldest, hold, sequence), default);

    /// <summary>Takes the session's registration back, whichever of its steps made it.</summary>
    public async Task WithdrawAsync(string key, long? sequence = null) =>
        await Store.WithdrawAsync(Session, [new Registration(Key(key), sequence ?? Sequence)], default);

    public async Task<Heartbeat> HeartbeatAsync() => await Store.HeartbeatAsync(Session, default);

    public async Task EndSessionAsync(bool isClean) => await Store.EndSessionAsync(Session, isClean, default);

    public async Task<MarkRecord?> FindAsync(string key) => await Store.FindAsync(Key(key), default);

    /// <summary>The mark; 0 when nothing is known of the resource.</summary>
    public async Task<long> MarkAsync(string key) => await FindAsync(key) is { } record ? record.Mark : 0;

    public async Task<bool> SetMarkAsync(string key, long mark, TimeSpan? hold = null, string reason = "a reason") =>
        await Store.SetMarkAsync(
            new SetMarkRequest(Session, Key(key), mark, hold ?? LongHold, reason, "somebody"), default);

    public async Task<int> ResolveAsync(string key) => await Store.ResolveAsync(Key(key), default);

    /// <summary>Completes when the store has told of a change of the resource.</summary>
    public async Task ChangedAsync(string key, TimeSpan? limit = null)
    {
        async Task ReadAsync()
        {
            while ((await _changes.Reader.ReadAsync()).Resource.Value != key)
            {
            }
        }

        // A session may have to find another server first, which takes most of its life.
        await ReadAsync().WithinLimit($"a change of {key} is told", limit ?? 2 * LongLife);
    }
}
