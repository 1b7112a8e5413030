using System.Text.Json.Nodes;
using FenceGateway.Gateway.Admin;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Replication;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Stores;

/// <summary>
/// The token store and this gateway's session in it: <c>/admin/v1/store</c>. From memory, so that it answers while the
/// store is away.
/// </summary>
internal sealed class StoreEndpoints(StoreClient store, FenceTable table, IEnumerable<ReplicationService> replication)
    : IAdminEndpoints
{
    public void Map(IEndpointRouteBuilder endpoints) => endpoints.MapGet("/admin/v1/store", ShowAsync);

    private Task ShowAsync(HttpContext context) => AdminJson.WriteAsync(context, 200, Describe());

    /// <summary>What the store is and promises.</summary>
    public JsonObject DescribeStore()
    {
        var info = store.Info;
        return new JsonObject
        {
            ["provider"] = info.Provider,
            ["location"] = info.Location,
            ["grade"] = info.Grade.ToString(),
            ["gradeReasons"] = new JsonArray([.. info.GradeReasons.Select(reason => JsonValue.Create(reason))]),
            ["requireGrade"] = store.RequireGrade?.ToString(),
            ["fault"] = store.Fault,
        };
    }

    private JsonObject Describe()
    {
        var body = DescribeStore();
        body["session"] = Describe(store.Current);
        body["calls"] = store.CallCount;
        body["callsByOperation"] = new JsonObject(
            store.CallCounts.Select(c => KeyValuePair.Create(c.Key, (JsonNode?)c.Value)));
        body["notices"] = store.NoticeCount;
        body["registrations"] = table.CountRegistered();
        body["regions"] = new JsonArray([.. replication.SelectMany(service => service.Regions).Select(Describe)]);
        return body;
    }

    private static JsonNode Describe(RegionStatus region) => new JsonObject
    {
        ["name"] = region.Region,
        ["provider"] = region.Store.Provider,
        ["location"] = region.Store.Location,
        ["lag"] = Durations.WriteWhole(region.Lag),
        ["fault"] = region.Fault,
    };

    /// <summary>A session without an end has no time left: it lives as long as the process.</summary>
    private static JsonObject? Describe(GatewaySession? current) => current is null ? null : new JsonObject
    {
        ["id"] = current.Id,
        ["alive"] = current.IsAlive,
        ["remaining"] = current.Remaining is { } left ? Durations.WriteWhole(left) : null,
    };
}
