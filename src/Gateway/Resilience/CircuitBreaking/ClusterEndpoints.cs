using System.Text.Json.Nodes;
using FenceGateway.Gateway.Admin;
using Polly.CircuitBreaker;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Resilience.CircuitBreaking;

/// <summary>
/// Clusters with their destinations' health and circuits: <c>/admin/v1/clusters</c>, to look at and to change.
/// </summary>
internal sealed class ClusterEndpoints(
    IProxyStateLookup proxy, CircuitRegistry circuits, ILogger<ClusterEndpoints> logger)
    : IAdminEndpoints
{
    private delegate bool Change(string cluster, string destination, string reason);

    public void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/admin/v1/clusters", ListAsync);
        endpoints.MapGet("/admin/v1/clusters/{cluster}", ShowAsync);
        endpoints.MapPost("/admin/v1/clusters/{cluster}/destinations/{destination}/isolate", IsolateAsync);
        endpoints.MapPost("/admin/v1/clusters/{cluster}/destinations/{destination}/close", CloseAsync);
    }

    private Task ListAsync(HttpContext context)
    {
        var clusters = proxy.GetClusters().OrderBy(c => c.ClusterId, StringComparer.Ordinal).Select(
            c => (JsonNode)Describe(c));
        return AdminJson.WriteAsync(context, 200, new JsonObject { ["clusters"] = new JsonArray([.. clusters]) });
    }

    private Task ShowAsync(HttpContext context) => Find(context) is { } cluster
        ? AdminJson.WriteAsync(context, 200, Describe(cluster))
        : UnknownClusterAsync(context);

    /// <summary><c>POST …/isolate</c>: no requests go there until <c>close</c>.</summary>
    private Task IsolateAsync(HttpContext context) => ChangeAsync(context, circuits.Isolate, logger.IsolatedByOperator);

    /// <summary><c>POST …/close</c>: requests go there again, and what was counted against it is forgotten.</summary>
    private Task CloseAsync(HttpContext context) => ChangeAsync(
        context,
        (cluster, destination, reason) => circuits.Close(cluster, destination, $"an operator closed it: {reason}"),
        logger.ClosedByOperator);

    private async Task ChangeAsync(HttpContext context, Change change, Action<string, string, string, string> audit)
    {
        if (Find(context) is not { } cluster)
        {
            await UnknownClusterAsync(context);
            return;
        }

        if (!cluster.Destinations.TryGetValue((string)context.Request.RouteValues["destination"]!, out var destination))
        {
            await AdminJson.WriteProblemAsync(
                context, 404, "Not Found",
                $"Cluster {cluster.ClusterId} has no such destination; it has: {Names(cluster.Destinations.Keys)}.");
            return;
        }

        if (await AdminChange.ReadAsync(context) is not { } asked)
        {
            await AdminChange.AnswerBadAsync(context, """{ "reason": "why" }""");
            return;
        }

        if (!change(cluster.ClusterId, destination.DestinationId, asked.Reason))
        {
            await AdminJson.WriteProblemAsync(
                context, 409, "Conflict",
                $"Destination {destination.DestinationId} has no circuit: no resilience policy with a CircuitBreaker "
                + $"is in force for cluster {cluster.ClusterId} or a route to it.");
            return;
        }

        audit(asked.Actor, cluster.ClusterId, destination.DestinationId, asked.Reason);
        await AdminJson.WriteAsync(context, 200, Describe(cluster));
    }

    private ClusterState? Find(HttpContext context) =>
        proxy.TryGetCluster((string)context.Request.RouteValues["cluster"]!, out var cluster) ? cluster : null;

    private JsonObject Describe(ClusterState cluster)
    {
        var breakers = circuits.Of(cluster.ClusterId).OrderBy(b => b.Policy, StringComparer.Ordinal).ToList();
        var destinations = cluster.Destinations.Values.OrderBy(d => d.DestinationId, StringComparer.Ordinal)
            .Select(d => (State: d, Circuits: Circuits(d, breakers)))
            .ToList();
        return new JsonObject
        {
            ["cluster"] = cluster.ClusterId,
            ["state"] = State(destinations.Select(d => Worst(d.Circuits)).MinBy(Severity)),
            ["policies"] = new JsonArray([.. breakers.Select(b => JsonValue.Create(b.Policy))]),
            ["destinations"] = new JsonArray([.. destinations.Select(d => Describe(d.State, d.Circuits))]),
        };
    }

    private static JsonObject Describe(
        DestinationState destination, List<(string Policy, CircuitSnapshot Circuit)> circuits) => new()
        {
            ["destination"] = destination.DestinationId,
            ["address"] = destination.Model.Config.Address,
            ["health"] = new JsonObject
            {
                ["active"] = destination.Health.Active.ToString(),
                ["passive"] = destination.Health.Passive.ToString(),
            },
            ["inFlight"] = destination.ConcurrentRequestCount,
            ["state"] = State(Worst(circuits)),
            ["circuits"] = new JsonArray([.. circuits.Select(c => Describe(c.Policy, c.Circuit))]),
        };

    private static JsonObject Describe(string policy, CircuitSnapshot circuit) => new()
    {
        ["policy"] = policy,
        ["state"] = circuit.State.Name(),
        ["since"] = circuit.Since.ToString("O"),
        ["until"] = circuit.Until?.ToString("O"),
        ["reason"] = circuit.Reason,
        ["counts"] = new JsonObject
        {
            ["succeeded"] = circuit.Counts.Succeeded,
            ["failed"] = circuit.Counts.Failed,
            ["slow"] = circuit.Counts.Slow,
            ["neutral"] = circuit.Counts.Neutral,
            ["shed"] = circuit.Counts.Shed,
        },
    };

    private static List<(string Policy, CircuitSnapshot Circuit)> Circuits(
        DestinationState destination, List<ClusterCircuits> breakers) =>
        [.. from breaker in breakers
            let circuit = breaker.Of(destination.DestinationId)
            where circuit is not null
            select (breaker.Policy, circuit.Look())];

    private static CircuitState? Worst(List<(string Policy, CircuitSnapshot Circuit)> circuits) =>
        circuits.Count == 0 ? null : circuits.Select(c => c.Circuit.State).MaxBy(CircuitText.Severity);

    /// <summary>A destination without a circuit takes requests.</summary>
    private static int Severity(CircuitState? state) => state?.Severity() ?? -1;

    private static string? State(CircuitState? state) => state?.Name();

    private static Task UnknownClusterAsync(HttpContext context) => AdminJson.WriteProblemAsync(
        context, 404, "Not Found", "There is no such cluster. List them with GET /admin/v1/clusters.");

    private static string Names(IEnumerable<string> names) => string.Join(", ", names.Order(StringComparer.Ordinal));
}
