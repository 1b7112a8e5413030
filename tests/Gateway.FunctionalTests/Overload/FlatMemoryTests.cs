using System.Globalization;
using System.Net;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Overload;

/// <summary>A real gateway process far above its limit: memory that grows with the load would show.</summary>
public sealed class FlatMemoryTests
{
    private const int Limit = 16;
    private const int Clients = 4 * Limit;
    private const int RequestsOfAClient = 250;

    [Fact]
    public async Task Overload_ManyTimesTheLimit_MemoryStaysFlat()
    {
        using var folder = new TempFolder();
        await using var service = await JournalService.StartAsync();
        var setup = new GatewaySetup { Gateway = $$""" "Limits": { "MaxInFlight": {{Limit}} } """ };
        await File.WriteAllTextAsync(folder.File("gateway.json"), setup.Render(service.Address));
        await using var gateway = await GatewayProcess.StartAsync(new()
        {
            ConfigFile = folder.File("gateway.json"),

            // Hexadecimal: a heap of 64 MB at most. Beyond, the process ends.
            Environment = new Dictionary<string, string?> { ["DOTNET_GCHeapHardLimit"] = "4000000" },
        });
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false })
        {
            BaseAddress = gateway.Address,
            Timeout = TimeLimit.Default,
        };

        // All places but one are taken by requests that never end, so that almost everything is turned away.
        service.Script = e => e.Target == "/open/held" ? ServiceAction.Hold : ServiceAction.Apply();
        var held = Enumerable.Range(0, Limit - 1).Select(_ => client.GetAsync("/open/held")).ToArray();
        for (var i = 0; i < held.Length; i++)
        {
            _ = await service.NextArrivalAsync();
        }

        _ = await DriveAsync(client);
        var middle = ResidentKilobytes(gateway.Id);
        var (served, shed) = await DriveAsync(client);
        var end = ResidentKilobytes(gateway.Id);

        TestContext.Current.TestOutputHelper?.WriteLine($"{served} served, {shed} shed; {middle} kB, then {end} kB");
        shed.ShouldBeGreaterThan(Clients * RequestsOfAClient / 2);
        served.ShouldBeGreaterThan(0);
        (end - middle).ShouldBeLessThan(8 * 1024);
        gateway.HasExited.ShouldBeFalse();
    }

    private static async Task<(int Served, int Shed)> DriveAsync(HttpClient client)
    {
        var (served, shed) = (0, 0);
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(async _ =>
        {
            for (var i = 0; i < RequestsOfAClient; i++)
            {
                using var content = new StringContent(new string('x', 1000));
                using var answer = await client.PutAsync("/open/1", content);
                if (answer.StatusCode == HttpStatusCode.ServiceUnavailable)
                {
                    answer.Headers.RetryAfter.ShouldNotBeNull();
                    Interlocked.Increment(ref shed);
                }
                else
                {
                    answer.StatusCode.ShouldBe(HttpStatusCode.OK);
                    Interlocked.Increment(ref served);
                }
            }
        }));
        return (served, shed);
    }

    private static long ResidentKilobytes(int process) => long.Parse(
        File.ReadLines($"/proc/{process}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture);
}
