using FenceGateway.DurableLog;
using FenceGateway.DurableLog.Tests;
using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Embedded;

namespace FenceGateway.TokenStore.Tests.Embedded;

/// <summary>A folder of its own, and stores in it. The clock stands until a test moves it.</summary>
internal sealed class TestFolder : IDisposable
{
    public static readonly TimeSpan Hold = TimeSpan.FromSeconds(10);

    // In memory where there is such a place: what a disk forgets is simulated, and thousands of flushes would only take
    // time.
    private const string InMemory = "/dev/shm";

    public string FullPath { get; } = Directory.CreateDirectory(
        Path.Combine(
            Directory.Exists(InMemory) ? InMemory : Path.GetTempPath(), $"fencegateway-{Guid.NewGuid():N}")).FullName;

    public ManualTimeProvider Clock { get; } = new();

    public TestLogger<EmbeddedTokenStore> Logger { get; } = new();

    public TestMeters Meters { get; } = new();

    public EmbeddedTokenStoreOptions Options { get; } = new();

    public string Segment(long index) => Path.Combine(FullPath, $"wal-{index:D10}.log");

    public string Snapshot(long index) => Path.Combine(FullPath, $"snapshot-{index:D10}.dat");

    public string[] Files(string pattern) => [.. Directory.GetFiles(FullPath, pattern).Order(StringComparer.Ordinal)];

    public EmbeddedTokenStore Make(FaultyDisk? disk = null)
    {
        Options.Path = FullPath;
        return new EmbeddedTokenStore(Options, Clock, Logger, Meters, disk is null ? SegmentFile.Create : disk.Create);
    }

    public async Task<EmbeddedTokenStore> OpenAsync(FaultyDisk? disk = null)
    {
        var store = Make(disk);
        try
        {
            await store.OpenAsync(default);
            await store.StartSessionAsync(StoreExtensions.Session, default, default);
            return store;
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    public async Task<TokenStoreUnavailableException> OpenRefusedAsync() =>
        await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await OpenAsync());

    public void Dispose() => Directory.Delete(FullPath, recursive: true);
}

/// <summary>Short forms of the store's operations.</summary>
internal static class StoreExtensions
{
    public const string Session = "s";

    public static ResourceKey Key(string text) =>
        ResourceKey.TryCreate(text, out var key) ? key : throw new ArgumentException("Not a key.", nameof(text));

    public static Task<EnterReply> Enter(
        this ITokenStore store, string key, long token, long? oldest = null, TimeSpan? hold = null) =>
        store.EnterAsync(
            new EnterRequest(
                Session, Key(key), new FencingToken(token), new FencingToken(oldest ?? token), 1,
                hold ?? TestFolder.Hold),
            default).AsTask();

    public static async Task<EnterStatus> Status(this ITokenStore store, string key, long token, long? oldest = null) =>
        (await store.Enter(key, token, oldest)).Status;

    public static Task<bool> SetMark(this ITokenStore store, string key, long mark, TimeSpan hold = default) =>
        store.SetMarkAsync(new SetMarkRequest(Session, Key(key), mark, hold, "reason", "actor"), default).AsTask();

    public static long Peek(this ITokenStore store, string key) => store.PeekMark(Key(key));

    public static Task Close(this ITokenStore store, bool isClean = true) =>
        store.EndSessionAsync(Session, isClean, default).AsTask();
}
