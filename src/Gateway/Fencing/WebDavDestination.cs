using FenceGateway.Fencing;
using Microsoft.AspNetCore.Routing.Template;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// WebDAV's MOVE and COPY write to a second resource, the one in <c>Destination</c> (RFC 4918, section 10.3). One token
/// cannot speak for two, so both have to have the same key.
/// </summary>
internal static class WebDavDestination
{
    /// <summary>The header that names it.</summary>
    public const string Header = "Destination";

    /// <summary>
    /// Says why the request's destination is not the resource that its token speaks for; null when it is.
    /// </summary>
    public static string? FindMismatch(HttpContext context, FencingPolicy policy, ReadOnlySpan<char> key)
    {
        var request = context.Request;
        if (!IsMoveOrCopy(request.Method))
        {
            return null;
        }

        var destinations = request.Headers[Header];
        if (destinations.Count != 1 || destinations[0] is not { Length: > 0 } destination)
        {
            return $"{request.Method} needs exactly one Destination header.";
        }

        if (!IsOnHost(destination, request.Host))
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

    public static bool IsMoveOrCopy(string method) =>
        method.Length == 4
        && (method.Equals("MOVE", StringComparison.OrdinalIgnoreCase)
            || method.Equals("COPY", StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether a target is an absolute path, <c>http://host/…</c> or <c>https://host/…</c>, and nothing that
    /// resembles it.</summary>
    public static bool IsOnHost(ReadOnlySpan<char> destination, HostString host)
    {
        if (destination.StartsWith('/'))
        {
            return true;
        }

        var scheme = destination.IndexOf("://", StringComparison.Ordinal);
        if (scheme < 0 || destination[..scheme].ToString().ToLowerInvariant() is not ("http" or "https"))
        {
            return false;
        }

        var authority = destination[(scheme + 3)..];
        var end = authority.IndexOf('/');
        return end > 0 && IsSame(new HostString(authority[..end].ToString()), host, scheme == "http".Length ? 80 : 443);
    }

    /// <summary>The scheme's own port, an empty one and none are the same (RFC 9110, section 4.2).</summary>
    private static bool IsSame(HostString one, HostString other, int own) =>
        one.Host.Equals(other.Host, StringComparison.OrdinalIgnoreCase)
        && PortOf(one, own) is { } port && port == PortOf(other, own);

    /// <summary>Null where what stands for the port is none.</summary>
    private static int? PortOf(HostString host, int own) =>
        host.Port ?? (host.Value is { } text && (text.Length == host.Host.Length || text.EndsWith(':')) ? own : null);

    /// <summary>Whether the pattern of the request's route matches a target as well.</summary>
    public static bool TryMatch(
        HttpContext context, string target, out PathString path, out RouteValueDictionary values)
    {
        path = new PathString(Uri.UnescapeDataString(TargetGuard.PathOf(target).ToString()));
        values = [];
        return context.GetEndpoint() is RouteEndpoint { RoutePattern: var pattern }
            && new TemplateMatcher(new RouteTemplate(pattern), new RouteValueDictionary(pattern.Defaults))
                .TryMatch(path, values);
    }

    private static bool TryGetKey(
        HttpContext context, FencingPolicy policy, string destination, out ReadOnlySpan<char> key)
    {
        key = default;
        if (!TryMatch(context, destination, out _, out var routeValues))
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
