using FenceGateway.TestKit;
using FenceGateway.TokenStore.Idempotency;
using FenceGateway.TokenStore.Tests.Embedded;

namespace FenceGateway.TokenStore.Tests.Idempotency;

public sealed class IdempotencyStoreCoverageTests
{
    [Fact]
    public void IdempotencyStores_InTheAssembly_AllHaveAConformanceClass()
    {
        var stores = typeof(IIdempotencyStore).Assembly.GetTypes()
            .Where(t => t is { IsClass: true, IsAbstract: false } && t.IsAssignableTo(typeof(IIdempotencyStore)));
        var covered = typeof(IdempotencyStoreCoverageTests).Assembly.GetTypes()
            .Select(t => t.BaseType)
            .Where(b => b is { IsGenericType: true } && b.GetGenericTypeDefinition() == typeof(IdempotencyStoreConformance<>))
            .Select(b => b!.GetGenericArguments()[0]);
        stores.Except(covered).ShouldBeEmpty("every idempotency store inherits IdempotencyStoreConformance");
    }
}

public sealed class MemoryIdempotencyStoreConformance : IdempotencyStoreConformance<MemoryIdempotencyStore>
{
    protected override MemoryIdempotencyStore CreateStore(int maxEntries, long maxBytes) => new(maxEntries, maxBytes, Clock);
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
    private readonly TestFolder _folder = new();

    public string FullPath => _folder.FullPath;

    public ManualTimeProvider Clock => _folder.Clock;

    public EmbeddedIdempotencyStoreOptions Options { get; } = new();

    public TestLogger<EmbeddedIdempotencyStore> Logger { get; } = new();

    public string[] Segments => _folder.Files("wal-*.log");

    public EmbeddedIdempotencyStore Make(FaultyDisk? disk = null, TimeProvider? clock = null)
    {
        Options.Path = FullPath;
        return new EmbeddedIdempotencyStore(
            Options, clock ?? Clock, Logger, disk is null ? FenceGateway.TokenStore.Embedded.SegmentFile.Create : disk.Create);
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

    public async Task<TokenStoreUnavailableException> OpenRefusedAsync() =>
        await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await OpenAsync());

    public void Dispose() => _folder.Dispose();
}
