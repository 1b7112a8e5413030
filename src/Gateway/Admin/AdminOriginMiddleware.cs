using System.Net;

namespace FenceGateway.Gateway.Admin;

/// <summary>
/// Keeps web pages out: the listener has no authentication, and the browser of whoever can reach it will ask it for any
/// page. A page by a name of its own that was made to lead here (DNS rebinding) is known by its Host, any other by what
/// browsers say of where it comes from.
/// </summary>
internal sealed class AdminOriginMiddleware(RequestDelegate next, AdminOptions options)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Request;
        if (!IsOwn(request.Host.Host))
        {
            return AdminJson.WriteProblemAsync(
                context, 403, "Forbidden",
                $"'{request.Host.Host}' is no name of this listener: ask for localhost or an IP address, or add the "
                    + "name to FenceGateway:Admin:Hosts.");
        }

        var (origin, site) = (request.Headers.Origin, request.Headers["Sec-Fetch-Site"]);
        return (origin.Count == 0 || origin == $"{request.Scheme}://{request.Host}")
            && site.ToString() is "" or "same-origin" or "none"
            ? next(context)
            : AdminJson.WriteProblemAsync(
                context, 403, "Forbidden", "A page of another origin may not ask this listener.");
    }

    private bool IsOwn(string host) =>
        host.Length == 0
        || host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || IPAddress.TryParse(host, out _)
        || options.Hosts.Contains(host, StringComparer.OrdinalIgnoreCase);
}
