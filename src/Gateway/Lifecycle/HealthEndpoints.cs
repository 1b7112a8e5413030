using System.Text.Json.Nodes;
using FenceGateway.Gateway.Admin;

namespace FenceGateway.Gateway.Lifecycle;

/// <summary><c>/livez</c>: the process runs. <c>/readyz</c>, <c>/healthz</c>: it should get traffic.</summary>
internal sealed class HealthEndpoints(HealthState health) : IAdminEndpoints
{
    /// <summary>Some balancers ask with HEAD.</summary>
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    public void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapMethods(
            "/livez", Methods,
            static context => AdminJson.WriteAsync(context, 200, new JsonObject { ["status"] = "live" }));
        endpoints.MapMethods("/readyz", Methods, WriteReadinessAsync);
        endpoints.MapMethods("/healthz", Methods, WriteReadinessAsync);
    }

    private Task WriteReadinessAsync(HttpContext context)
    {
        var checks = new JsonObject();
        var ready = true;
        foreach (var (name, fault) in health.Checks())
        {
            checks[name] = fault ?? "ok";
            ready &= fault is null;
        }

        return AdminJson.WriteAsync(
            context, ready ? 200 : 503,
            new JsonObject { ["status"] = ready ? "ready" : "not ready", ["checks"] = checks });
    }
}
