using System.Globalization;
using FenceGateway.Fleet.Tests.Stores;
using FenceGateway.Fleet.Tests.World;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests;

/// <summary>How often two gateways ask their store, by their own count and by the server's statistics.</summary>
public sealed class StoreCallTests(ITestOutputHelper output)
{
    private const int Resources = 1000;
    private const int Writes = 6_000;
    private const int Senders = 16;
    private const double CallsPerWrite = 0.05;

    [RealTimeFact]
    public async Task SteadyWrites_ThousandResourcesOverTwoGateways_HardlyAskTheStore()
    {
        await using var store = new RedisUnderTest();
        await store.StartAsync();
        await using var fleet = await QuietFleet.StartAsync(store);
        await SendAllAsync(fleet, 2 * Resources);
        var (counted, run) = (await StoreCalls.CountAsync(fleet.Gateways), await ScriptsAsync(store));

        await SendAllAsync(fleet, Writes);

        var sent = await StoreCalls.CountAsync(fleet.Gateways) - counted;
        var calls = (double)sent.Caused / Writes;
        var scripts = (double)(await ScriptsAsync(store) - run - sent.Timed) / Writes;
        output.WriteLine(
            $"{Writes} steady writes: {calls:0.00000} store calls for each, {scripts:0.00000} scripts run by Redis; "
                + $"{sent}");
        calls.ShouldBeLessThanOrEqualTo(CallsPerWrite);
        scripts.ShouldBeLessThanOrEqualTo(CallsPerWrite);
        fleet.Check();
    }

    /// <summary>
    /// Writes to all resources in turn; each write of a resource goes to the other gateway than the one before.
    /// </summary>
    private static async Task SendAllAsync(QuietFleet fleet, int count)
    {
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, Senders).Select(_ => SendAsync()));

        async Task SendAsync()
        {
            for (int i; (i = Interlocked.Increment(ref next)) < count;)
            {
                await fleet.PutAsync(i + i / Resources, i % Resources, 1);
            }
        }
    }

    /// <summary>Each is one call of the store.</summary>
    private static async Task<long> ScriptsAsync(RedisUnderTest store)
    {
        var statistics = await store.Server.CommandAsync("INFO", "commandstats");
        return statistics.Split('\n')
            .Where(l => l.StartsWith("cmdstat_eval", StringComparison.Ordinal))
            .Sum(l => long.Parse(l.Split("calls=")[1].Split(',')[0], CultureInfo.InvariantCulture));
    }
}
