using FenceGateway.Fencing;
using Microsoft.AspNetCore.Routing.Template;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// WebDAV's MOVE and COPY write to a second resource, the one in <c>Destination</c> (RFC 4918, section 10.3). One token cannot
/// speak for two, so both have to have the same key.
/// </summary>
internal static class SecondTarget
{
    /// <summary>Says why the request's destination is not the resource that its token speaks for; null when it is.</summary>
    public static string? FindMismatch(HttpContext context, FencingPolicy policy, ReadOnlySpan<char> key)
    {
        var request = context.Request;
        if (!IsMoveOrCopy(request.Method))
        {
            return null;
        }

        var destinations = request.Headers["Destination"];
        if (destinations.Count != 1 || destinations[0] is not { Length: > 0 } destination)
        {
            return $"{request.Method} needs exactly one Destination header.";
        }

        if (destination[0] != '/' && !IsOnHost(destination, request.Host))
        {
            return "The Destination must be an absolute path, or an http URI on the host of the request.";
        }

        if (policy.Resource.Uses(ResourceValueKind.Query))
        {
            return "The resource is named by a query parameter, which a Destination does not have for sure.";
        }

        if (TargetGuard.FindAmbiguity(destination) is { } ambiguity)
        {
            return $"The Destination can be read in more than one way: {ambiguity}.";
        }

        return TryGetKey(context, policy, destination, out var other) && key.SequenceEqual(other)
            ? null
            : $"The token speaks for {key}, and the Destination is another resource.";
    }

    private static bool IsMoveOrCopy(string method) =>
        method.Length == 4
        && (method.Equals("MOVE", StringComparison.OrdinalIgnoreCase) || method.Equals("COPY", StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether the destination is <c>http://host/…</c> or <c>https://host/…</c>, and nothing that resembles it.</summary>
    private static bool IsOnHost(ReadOnlySpan<char> destination, HostString host)
    {
        var scheme = destination.IndexOf("://", StringComparison.Ordinal);
        if (scheme < 0 || destination[..scheme].ToString().ToLowerInvariant() is not ("http" or "https"))
        {
            return false;
        }

        var authority = destination[(scheme + 3)..];
        var end = authority.IndexOf('/');
        return end >= 0 && authority[..end].Equals(host.Value, StringComparison.OrdinalIgnoreCase);
    }

    private static bool TryGetKey(HttpContext context, FencingPolicy policy, string destination, out ReadOnlySpan<char> key)
    {
        key = default;
        if (context.GetEndpoint() is not RouteEndpoint endpoint)
        {
            return false;
        }

        var path = new PathString(Uri.UnescapeDataString(TargetGuard.PathOf(destination).ToString()));
        var routeValues = new RouteValueDictionary();
        var matcher = new TemplateMatcher(new RouteTemplate(endpoint.RoutePattern), new RouteValueDictionary(endpoint.RoutePattern.Defaults));
        if (!matcher.TryMatch(path, routeValues))
        {
            return false;
        }

        var buffer = new char[ResourceKey.MaxBytes];
        var values = new RequestResourceValues(context.Request, routeValues);
        var status = policy.Resource.Render(ref values, buffer, out var length, out _);
        key = buffer.AsSpan(0, length);
        return status == RenderStatus.Rendered;
    }
}
