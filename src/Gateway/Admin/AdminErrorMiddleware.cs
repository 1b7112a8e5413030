using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Admin;

/// <summary>
/// Gives every answer of the admin listener a body: unknown paths, wrong methods, a store that cannot tell.
/// </summary>
internal sealed class AdminErrorMiddleware(RequestDelegate next)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        catch (TokenStoreUnavailableException e)
        {
            await AdminJson.WriteProblemAsync(context, 503, "Token store unavailable", e.Message);
            return;
        }

        if (!context.Response.HasStarted && context.Response.StatusCode is 404 or 405)
        {
            await (context.Response.StatusCode == 404
                ? AdminJson.WriteProblemAsync(
                    context, 404, "Not Found",
                    "Try /livez, /readyz, /healthz or /admin/v1/{version,config,routes,store,resources,clusters}.")
                : AdminJson.WriteProblemAsync(context, 405, "Method Not Allowed", "Read with GET; change with POST."));
        }
    }
}
