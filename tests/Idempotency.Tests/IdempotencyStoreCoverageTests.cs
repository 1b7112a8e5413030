using FenceGateway.DurableLog.Tests;
using FenceGateway.TestKit;

namespace FenceGateway.Idempotency.Tests;

public sealed class IdempotencyStoreCoverageTests
{
    [Fact]
    public void IdempotencyStores_InTheAssembly_AllHaveAConformanceClass()
    {
        var stores = typeof(IIdempotencyStore).Assembly.GetTypes()
            .Where(t => t is { IsClass: true, IsAbstract: false } && t.IsAssignableTo(typeof(IIdempotencyStore)));
        var covered = typeof(IdempotencyStoreCoverageTests).Assembly.GetTypes()
            .Select(t => t.BaseType)
            .Where(
                b => b is { IsGenericType: true }
                    && b.GetGenericTypeDefinition() == typeof(IdempotencyStoreConformance<>))
            .Select(b => b!.GetGenericArguments()[0]);
        stores.Except(covered).ShouldBeEmpty("every idempotency store inherits IdempotencyStoreConformance");
    }
}

public sealed class MemoryIdempotencyStoreConformance : IdempotencyStoreConformance<MemoryIdempotencyStore>
{
    protected override MemoryIdempotencyStore CreateStore(int maxEntries, long maxBytes) =>
        new(maxEntries, maxBytes, Clock);
}

public sealed class EmbeddedIdempotencyStoreConformance : IdempotencyStoreConformance<EmbeddedIdempotencyStore>
{
    private readonly AnswerFolder _folder = new();

    protected override EmbeddedIdempotencyStore CreateStore(int maxEntries, long maxBytes)
    {
        (_folder.Options.MaxEntries, _folder.Options.MaxBytes) = (maxEntries, maxBytes);
        return _folder.Make(clock: Clock);
    }

    protected override void CleanUp() => _folder.Dispose();
}

/// <summary>A folder of its own, and stores in it. The clock stands until a test moves it.</summary>
internal sealed class AnswerFolder : IDisposable
{
    private readonly TempFolder _folder = new();

    public string FullPath => _folder.Path;

    public ManualTimeProvider Clock { get; } = new();

    public EmbeddedIdempotencyStoreOptions Options { get; } = new();

    public TestLogger<EmbeddedIdempotencyStore> Logger { get; } = new();

    public string[] Segments => [.. Directory.GetFiles(FullPath, "wal-*.log").Order(StringComparer.Ordinal)];

    public EmbeddedIdempotencyStore Make(FaultyDisk? disk = null, TimeProvider? clock = null)
    {
        Options.Path = FullPath;
        return new EmbeddedIdempotencyStore(
            Options, clock ?? Clock, Logger, disk is null ? DurableLog.SegmentFile.Create : disk.Create);
    }

    public async Task<EmbeddedIdempotencyStore> OpenAsync(FaultyDisk? disk = null)
    {
        var store = Make(disk);
        try
        {
            await store.OpenAsync(default);
            return store;
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    public async Task<IdempotencyStoreUnavailableException> OpenRefusedAsync() =>
        await Should.ThrowAsync<IdempotencyStoreUnavailableException>(async () => await OpenAsync());

    public void Dispose() => _folder.Dispose();
}
