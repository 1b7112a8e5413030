using System.Collections.Immutable;
using System.Text.Json;

namespace FenceGateway.Fleet.Tests.World;

/// <summary>
/// How often gateways have called their store, by operation and as each counts for itself, and how often it told them
/// of a change.
/// </summary>
internal sealed record StoreCalls(ImmutableSortedDictionary<string, long> ByOperation, long Notices)
{
    private static readonly HttpClient Client = new();

    public long All => ByOperation.Values.Sum();

    public long Heartbeats => ByOperation.GetValueOrDefault("heartbeat");

    /// <summary>Those that a clock has caused: the more of them, the slower the machine is.</summary>
    public long Timed => Heartbeats + ByOperation.GetValueOrDefault("ask_again");

    /// <summary>Those that requests and changes have caused.</summary>
    public long Caused => All - Timed;

    public static StoreCalls operator -(StoreCalls later, StoreCalls sooner) => new(
        later.ByOperation.Select(c => KeyValuePair.Create(c.Key, c.Value - sooner.ByOperation.GetValueOrDefault(c.Key)))
            .Where(c => c.Value > 0).ToImmutableSortedDictionary(StringComparer.Ordinal),
        later.Notices - sooner.Notices);

    public static async Task<StoreCalls> CountAsync(IEnumerable<FleetGateway> gateways)
    {
        var (calls, notices) = (new Dictionary<string, long>(StringComparer.Ordinal), 0L);
        foreach (var gateway in gateways)
        {
            using var store = JsonDocument.Parse(
                await Client.GetStringAsync(new Uri(gateway.AdminAddress, "admin/v1/store")));
            notices += store.RootElement.GetProperty("notices").GetInt64();
            foreach (var operation in store.RootElement.GetProperty("callsByOperation").EnumerateObject())
            {
                calls[operation.Name] = calls.GetValueOrDefault(operation.Name) + operation.Value.GetInt64();
            }
        }

        return new StoreCalls(calls.ToImmutableSortedDictionary(StringComparer.Ordinal), notices);
    }

    public override string ToString() =>
        $"{string.Join(", ", ByOperation.Select(c => $"{c.Value} {c.Key}"))}; {Notices} notices";
}
