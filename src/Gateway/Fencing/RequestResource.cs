using FenceGateway.Fencing;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// The resource of a request that carries no token, such as a plain read: its route's policy names it all the same.
/// </summary>
internal static class RequestResource
{
    /// <summary>The key of the resource; empty where the route has no policy, or the request names none.</summary>
    /// <param name="context">The request.</param>
    /// <param name="buffer">Holds the key: <see cref="ResourceKey.MaxBytes"/> characters.</param>
    public static ReadOnlySpan<char> Render(HttpContext context, Span<char> buffer)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<FencingPolicy>()?.Resource is not { } template)
        {
            return default;
        }

        var values = new RequestResourceValues(context.Request, context.Request.RouteValues);
        return template.Render(ref values, buffer, out var length, out _) == RenderStatus.Rendered
            ? buffer[..length]
            : default;
    }
}
