using System.Globalization;
using FenceGateway.Fleet.Tests.Stores;
using FenceGateway.Fleet.Tests.World;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests;

/// <summary>How often two gateways ask their store, as the store's own statistics count it.</summary>
public sealed class StoreCallTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Resources = 1000;
    private const int Writes = 12_000;
    private const int Takeovers = 100;
    private const int Senders = 16;

    /// <summary>As in the default configuration; heartbeats count.</summary>
    private static readonly TimeSpan SessionTtl = TimeSpan.FromSeconds(5);

    private readonly RedisUnderTest _store = new();
    private JournalService _service = null!;
    private RecordingClient _client = null!;
    private FleetGateway[] _gateways = [];

    public async ValueTask InitializeAsync()
    {
        await _store.StartAsync();
        _service = await JournalService.StartAsync();
        _client = new RecordingClient(_service.Clock);
        var prefix = _store.NewPrefix();
        _gateways = [.. new[] { "A", "B" }.Select(n => new FleetGateway(n, _service.Address, _store, prefix, sessionTtl: SessionTtl))];
        await Task.WhenAll(_gateways.Select(g => g.StartAsync()));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var gateway in _gateways)
        {
            await gateway.DisposeAsync();
        }

        _client.Dispose();
        await _service.DisposeAsync();
        await _store.DisposeAsync();
    }

    [Fact]
    public async Task SteadyWrites_ThousandResourcesOverTwoGateways_HardlyAskTheStore()
    {
        await SendAllAsync(2 * Resources);
        var before = await CountAsync();

        await SendAllAsync(Writes);

        var calls = await CountAsync() - before;
        output.WriteLine($"{calls} store calls for {Writes} steady writes: {(double)calls / Writes:0.0000} a write");
        ((double)calls / Writes).ShouldBeLessThanOrEqualTo(0.05);
        HistoryChecker.Check(_service.Writes, _client.Answers).ShouldBeEmpty();
    }

    [Fact]
    public async Task Takeover_FromOneGatewayToTheOther_TakesThreeRoundTrips()
    {
        (await PutAsync(0, 0, 1)).Status.ShouldBe(200);
        var (before, start) = (await CountAsync(), TimeProvider.System.GetTimestamp());

        for (var token = 2; token < 2 + Takeovers; token++)
        {
            (await PutAsync(token, 0, token)).Status.ShouldBe(200);
        }

        var took = TimeProvider.System.GetElapsedTime(start);
        var heartbeats = _gateways.Length * (int)Math.Ceiling(took / (SessionTtl / 3));
        var calls = await CountAsync() - before;
        output.WriteLine($"{calls} store calls for {Takeovers} takeovers, of {took.TotalMilliseconds / Takeovers:0.0} ms each; "
            + $"at most {heartbeats} of them heartbeats");
        calls.ShouldBeLessThanOrEqualTo(3 * Takeovers + heartbeats);
        HistoryChecker.Check(_service.Writes, _client.Answers).ShouldBeEmpty();
    }

    /// <summary>Writes to all resources in turn; each write of a resource goes to the other gateway than the one before.</summary>
    private async Task SendAllAsync(int count)
    {
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, Senders).Select(_ => SendAsync()));

        async Task SendAsync()
        {
            for (int i; (i = Interlocked.Increment(ref next)) < count;)
            {
                (await PutAsync(i % Resources + i / Resources, i % Resources, 1)).Status.ShouldBe(200);
            }
        }
    }

    private Task<GatewayAnswer> PutAsync(int gateway, int resource, long token)
    {
        var chosen = _gateways[gateway % _gateways.Length];
        return _client.SendAsync(chosen.Address, HttpMethod.Put, $"/orders/{resource}", token, chosen.Name);
    }

    /// <summary>Scripts that Redis has run: each is one call of the store.</summary>
    private async Task<long> CountAsync()
    {
        var statistics = await _store.Server.CommandAsync("INFO", "commandstats");
        return statistics.Split('\n')
            .Where(l => l.StartsWith("cmdstat_eval", StringComparison.Ordinal))
            .Sum(l => long.Parse(l.Split("calls=")[1].Split(',')[0], CultureInfo.InvariantCulture));
    }
}
