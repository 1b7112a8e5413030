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

    public TemporaryStore() => Store = new EmbeddedTokenStore(
        new EmbeddedTokenStoreOptions { Path = _folder },
        TimeProvider.System,
        NullLogger<EmbeddedTokenStore>.Instance,
        _services.GetRequiredService<IMeterFactory>());

    public EmbeddedTokenStore Store { get; }

    public static ResourceKey Key(int number) =>
        ResourceKey.TryCreate($"orders/{number}", out var key) ? key : throw new ArgumentOutOfRangeException(nameof(number));

    public static EnterRequest Enter(ResourceKey resource, long token) =>
        new(resource, new FencingToken(token), new FencingToken(token), TimeSpan.FromSeconds(10));

    /// <summary>Opens it and gives <paramref name="resources"/> the mark <paramref name="token"/>.</summary>
    public async Task OpenAsync(int resources, long token)
    {
        await Store.OpenAsync(CancellationToken.None);
        var entering = Enumerable.Range(0, resources).Select(i => Store.EnterAsync(Enter(Key(i), token), CancellationToken.None).AsTask());
        await Task.WhenAll(entering);
    }

    public async ValueTask DisposeAsync()
    {
        await Store.CloseAsync(quiet: true, CancellationToken.None);
        await Store.DisposeAsync();
        await _services.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
