using FenceGateway.Fleet.Tests.Stores;
using FenceGateway.Fleet.Tests.World;

namespace FenceGateway.Fleet.Tests;

/// <summary>
/// A store and a fleet on it, for all tests of a class: what one test has done to them the next one goes on with. After
/// a failure both are made anew.
/// </summary>
public abstract class FleetFixture : IAsyncDisposable
{
    /// <summary>Two of them can have older writes while the third one takes over.</summary>
    private const int Gateways = 3;

    private readonly Func<StoreUnderTest> _make;
    private StoreUnderTest? _store;
    private FleetWorld? _world;

    private protected FleetFixture(Func<StoreUnderTest> make) => _make = make;

    internal async Task<StoreUnderTest> StoreAsync()
    {
        if (_store is null)
        {
            var store = _make();
            await store.StartAsync();
            _store = store;
        }

        return _store;
    }

    internal async Task<FleetWorld> WorldAsync(Random random) =>
        _world ??= await FleetWorld.StartAsync(random, await StoreAsync(), Gateways);

    /// <summary>A test has failed: what it leaves behind is nothing to build on.</summary>
    internal async Task DropAsync()
    {
        if (_world is { } world)
        {
            _world = null;
            await world.DisposeAsync();
        }

        if (_store is { } store)
        {
            _store = null;
            await store.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await DropAsync();
        GC.SuppressFinalize(this);
    }
}
