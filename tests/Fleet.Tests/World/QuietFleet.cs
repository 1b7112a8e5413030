using FenceGateway.Fleet.Tests.Stores;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests.World;

/// <summary>
/// Two gateways on one store in front of a service that answers at once, to count and to measure: nothing happens
/// unasked.
/// </summary>
internal sealed class QuietFleet : IAsyncDisposable
{
    private static readonly FleetTimes Times = FleetTimes.Default;

    private readonly JournalService _service;
    private readonly RecordingClient _client;

    private QuietFleet(JournalService service, StoreUnderTest store)
    {
        _service = service;
        _client = new RecordingClient(service.Clock);
        var prefix = store.NewPrefix();
        Gateways =
            [.. new[] { "A", "B" }.Select(n => new FleetGateway(n, service.Address, store, prefix, Times, proxied: false))];
    }

    public IReadOnlyList<FleetGateway> Gateways { get; }

    public static async Task<QuietFleet> StartAsync(StoreUnderTest store)
    {
        var fleet = new QuietFleet(await JournalService.StartAsync(), store);
        try
        {
            await Task.WhenAll(fleet.Gateways.Select(g => g.StartAsync()));
            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    /// <summary>Writes through one of the gateways, and is not refused.</summary>
    public async Task PutAsync(int gateway, int resource, long token)
    {
        var chosen = Gateways[gateway % Gateways.Count];
        (await _client.SendAsync(chosen.Address, HttpMethod.Put, $"/orders/{resource}", token, chosen.Name)).Status
            .ShouldBe(200);
    }

    public void Check() => HistoryChecker.Check(_service.Writes, _client.Answers).ShouldBeEmpty();

    public async ValueTask DisposeAsync()
    {
        foreach (var gateway in Gateways)
        {
            await gateway.DisposeAsync();
        }

        _client.Dispose();
        await _service.DisposeAsync();
    }
}
