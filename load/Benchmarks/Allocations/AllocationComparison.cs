using System.Globalization;
using System.Text;

namespace FenceGateway.Benchmarks.Allocations;

/// <summary>
/// Hosts the gateway in this process between a raw client and a raw service that allocate nothing for a request, and
/// reads what the process allocated around so many requests on a fenced route, on one with every resilience mechanism
/// as well, and on the same route without a policy.
/// </summary>
internal static class AllocationComparison
{
    private const int Rounds = 9;
    private const int WarmUp = 30_000;
    private const double Limit = 64;

    public static async Task<int> RunAsync(string[] args, TextWriter output)
    {
        var requests = args is [var text] ? int.Parse(text, CultureInfo.InvariantCulture) : 5_000;
        await using var gateway = await GatewayUnderTest.StartAsync();
        await using var client = await RawClient.ConnectAsync(gateway.Port);
        var (direct, fenced, resilient, stale) = (
            Put("/direct/1", 34), Put("/fenced/1", 34), Put("/resilient/1", 34), Put("/fenced/1", 33));
        await client.SendAsync(fenced, WarmUp, 204);
        await client.SendAsync(direct, WarmUp, 204);
        await client.SendAsync(resilient, WarmUp, 204);
        await client.SendAsync(stale, WarmUp, 409);

        await output.WriteLineAsync($"bytes allocated per request, {Rounds} rounds of {requests} requests");
        var (more, all) = (new double[Rounds], new double[Rounds, 4]);
        for (var round = 0; round < Rounds; round++)
        {
            all[round, 0] = await MeasureAsync(client, direct, requests, 204);
            all[round, 1] = await MeasureAsync(client, fenced, requests, 204);
            all[round, 2] = await MeasureAsync(client, resilient, requests, 204);
            all[round, 3] = await MeasureAsync(client, stale, requests, 409);
            more[round] = all[round, 1] - all[round, 0];
        }

        await output.WriteLineAsync("                     min     median        max");
        await WriteAsync(output, "direct", Column(all, 0));
        await WriteAsync(output, "fenced", Column(all, 1));
        await WriteAsync(output, "resilient", Column(all, 2));
        await WriteAsync(output, "stale 409", Column(all, 3));
        var median = await WriteAsync(output, "fenced - direct", more);
        await output.WriteLineAsync(median <= Limit ? $"within {Limit} bytes" : $"MISSED: more than {Limit} bytes");
        return median <= Limit ? 0 : 1;
    }

    private static async Task<double> MeasureAsync(RawClient client, byte[] request, int requests, int status)
    {
        var before = GC.GetTotalAllocatedBytes(precise: true);
        await client.SendAsync(request, requests, status);
        return (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)requests;
    }

    private static byte[] Put(string path, long token) => Encoding.ASCII.GetBytes(
        $"PUT {path} HTTP/1.1\r\nHost: gateway\r\nFencing-Token: {token}\r\nContent-Length: "
        + $"{RawService.Body.Length}\r\n\r\n"
        + Encoding.ASCII.GetString(RawService.Body));

    private static double[] Column(double[,] values, int column) =>
        [.. Enumerable.Range(0, Rounds).Select(row => values[row, column])];

    private static async Task<double> WriteAsync(TextWriter output, string name, double[] values)
    {
        Array.Sort(values);
        var median = values[values.Length / 2];
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture, $"{name,-15} {values[0],8:F1}   {median,8:F1}   {values[^1],8:F1}"));
        return median;
    }
}
