using System.Text.Json;

namespace FenceGateway.Fleet.Tests.World;

/// <summary>How often gateways have called their store, as each counts for itself.</summary>
internal static class CallCounter
{
    private static readonly HttpClient Client = new();

    public static async Task<long> CountAsync(IEnumerable<FleetGateway> gateways)
    {
        long sum = 0;
        foreach (var gateway in gateways)
        {
            using var store = JsonDocument.Parse(await Client.GetStringAsync(new Uri(gateway.AdminAddress, "admin/v1/store")));
            sum += store.RootElement.GetProperty("calls").GetInt64();
        }

        return sum;
    }
}
