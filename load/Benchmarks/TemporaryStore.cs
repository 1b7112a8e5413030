using System.Diagnostics.Metrics;
using FenceGateway.Fencing;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Embedded;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.Benchmarks;

/// <summary>An embedded store in a folder of its own under TMPDIR, deleted afterwards.</summary>
internal sealed class TemporaryStore : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly string _folder = Directory.CreateTempSubdirectory("fencegateway-benchmark-").FullName;

    public TemporaryStore()
    {
        var meters = _services.GetRequiredService<IMeterFactory>();
        Store = new EmbeddedTokenStore(
            new EmbeddedTokenStoreOptions { Path = _folder }, TimeProvider.System, NullLogger<EmbeddedTokenStore>.Instance, meters);
        Session = new StoreClient(
            Store, new StoreClientOptions(), TimeProvider.System, NullLogger<StoreClient>.Instance, meters);
    }

    public EmbeddedTokenStore Store { get; }

    /// <summary>A gateway's session in it, once it is open.</summary>
    public StoreClient Session { get; }

    public static ResourceKey Key(int number) =>
        ResourceKey.TryCreate($"orders/{number}", out var key)
            ? key
            : throw new ArgumentOutOfRangeException(nameof(number));

    public EnterRequest Enter(ResourceKey resource, long token) =>
        new(Session.Current!.Id, resource, new FencingToken(token), new FencingToken(token), 1, TimeSpan.FromSeconds(10));

    /// <summary>Opens it and gives <paramref name="resources"/> the mark <paramref name="token"/>.</summary>
    public async Task OpenAsync(int resources, long token)
    {
        await Session.OpenAsync(CancellationToken.None);
        var entering = Enumerable.Range(0, resources).Select(
            i => Store.EnterAsync(Enter(Key(i), token), CancellationToken.None).AsTask());
        await Task.WhenAll(entering);
    }

    public async ValueTask DisposeAsync()
    {
        await Session.CloseAsync(isClean: true);
        await _services.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
