using FenceGateway.Fencing;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Routing.Patterns;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// Transforms that would give the service another request than the fence has judged: another method, another resource,
/// or no token (R10).
/// </summary>
internal static class FencedTransformRules
{
    private const string HeadersCopy = "RequestHeadersCopy";
    private const string HeadersAllowed = "RequestHeadersAllowed";
    private const string Forwarded = "Forwarded";
    private const string XForwarded = "X-Forwarded";
    private const string XForwardedPrefix = "X-Forwarded-";

    /// <summary>Transforms whose own value is the header that they set or remove.</summary>
    private static readonly string[] HeaderTransforms =
        ["RequestHeader", "RequestHeaderRouteValue", "RequestHeaderRemove", "ClientCert"];

    private static readonly string[] QueryTransforms =
        ["QueryValueParameter", "QueryRouteParameter", "QueryRemoveParameter"];

    private static readonly string[] XForwardedHeaders = ["For", "Host", "Proto", "Prefix"];

    public static void Check(RouteConfig route, FencingPolicy policy, IList<Exception> errors)
    {
        if (policy.Mode == FencingMode.Off)
        {
            return;
        }

        var transforms = route.Transforms ?? [];
        CheckForwarded(route, transforms, policy, errors);
        for (var i = 0; i < transforms.Count; i++)
        {
            if (Fault(transforms[i], route, policy) is { } fault)
            {
                errors.Add(PathOf(route, i), fault);
            }
        }

        CheckCopied(route, transforms, policy, errors);
    }

    private static string? Fault(IReadOnlyDictionary<string, string> transform, RouteConfig route, FencingPolicy policy)
    {
        if (transform.ContainsKey("HttpMethodChange"))
        {
            return "changes the method of a fenced request: the fence tells writes from reads, and retries tell what "
                + "may be repeated, by the method that the client sent; take it out";
        }

        return Headers(transform).Select(header => HeaderFault(header, policy)).FirstOrDefault(
            fault => fault is not null)
            ?? QueryFault(transform, policy)
            ?? PathFault(transform, route, policy);
    }

    private static IEnumerable<string> Headers(IReadOnlyDictionary<string, string> transform)
    {
        foreach (var kind in HeaderTransforms)
        {
            if (transform.TryGetValue(kind, out var header))
            {
                yield return header;
            }
        }

        if (transform.ContainsKey(Forwarded))
        {
            yield return Forwarded;
        }

        if (transform.TryGetValue(XForwarded, out var all))
        {
            var prefix = transform.TryGetValue("HeaderPrefix", out var given) ? given : XForwardedPrefix;
            foreach (var suffix in XForwardedHeaders)
            {
                if (!(transform.TryGetValue(suffix, out var own) ? own : all)
                    .Equals("Off", StringComparison.OrdinalIgnoreCase))
                {
                    yield return prefix + suffix;
                }
            }
        }
    }

    /// <summary>
    /// Unless told otherwise, the gateway writes what proxies say of a request itself: no value of a client's gets to
    /// the service.
    /// </summary>
    private static void CheckForwarded(
        RouteConfig route, IReadOnlyList<IReadOnlyDictionary<string, string>> transforms, FencingPolicy policy,
        IList<Exception> errors)
    {
        if (transforms.Any(transform => transform.ContainsKey(XForwarded) || transform.ContainsKey(Forwarded)))
        {
            return;
        }

        foreach (var header in Named(policy, ResourceValueKind.Header))
        {
            if (Array.Exists(ForwardedChain.Headers, written => HeaderRules.LookAlike(header, written)))
            {
                errors.Add(
                    ReverseProxyRules.PathIn(route, nameof(route.Metadata), FencedRouteRules.MetadataKey),
                    $"names '{policy.Name}', whose resource '{policy.Resource.Text}' takes '{header}', which the "
                    + "gateway writes anew for the service; name the resource by something else, or add the transform "
                    + $"{{ \"{XForwarded}\": \"Off\" }}");
            }
        }
    }

    private static string? HeaderFault(string header, FencingPolicy policy)
    {
        if (Array.Exists(policy.TokenHeaders, token => HeaderRules.LookAlike(header, token)))
        {
            return $"touches '{header}': the service gets the token of fencing policy '{policy.Name}' in "
                + $"{policy.Header}, as the fence has admitted it, or "
                + "may take this header for it; take it out";
        }

        if (Array.Exists(FenceCheck.MethodOverrides, name => HeaderRules.LookAlike(header, name)))
        {
            return $"touches '{header}', which gives the request a second method that the fence does not see; take it "
                + "out";
        }

        if (HeaderRules.LookAlike(header, WebDavDestination.Header))
        {
            return $"touches '{header}', which names the second resource of a MOVE or COPY, as the fence has judged "
                + "it; take it out";
        }

        return Named(policy, ResourceValueKind.Header).Any(name => HeaderRules.LookAlike(header, name))
            ? $"touches '{header}', {WhichNames(policy)}"
            : null;
    }

    private static string? QueryFault(IReadOnlyDictionary<string, string> transform, FencingPolicy policy)
    {
        foreach (var kind in QueryTransforms)
        {
            if (transform.TryGetValue(kind, out var parameter)
                && Named(policy, ResourceValueKind.Query).Contains(parameter, StringComparer.OrdinalIgnoreCase))
            {
                return $"touches the query parameter '{parameter}', {WhichNames(policy)}";
            }
        }

        return null;
    }

    private static string? PathFault(
        IReadOnlyDictionary<string, string> transform, RouteConfig route, FencingPolicy policy)
    {
        var named = Named(policy, ResourceValueKind.Route).ToArray();
        if (named.Length == 0)
        {
            return null;
        }

        if (transform.TryGetValue("PathSet", out var path))
        {
            return $"gives all requests the path '{path}' and so drops {{{named[0]}}}, {WhichNames(policy)}";
        }

        if (transform.TryGetValue("PathPattern", out var pattern) && ParametersOf(pattern) is { } parameters
            && Array.Find(named, name => !parameters.Contains(name, StringComparer.OrdinalIgnoreCase)) is { } dropped)
        {
            return $"has no {{{dropped}}}, {WhichNames(policy)}";
        }

        return transform.TryGetValue("PathRemovePrefix", out var prefix) && !IsLiteralPrefix(prefix, route)
            ? $"removes '{prefix}' from some paths of the route only and so may make one path of two resources; name a "
                + $"prefix that stands before the first parameter of '{route.Match.Path}'"
            : null;
    }

    /// <summary>The token, and what names the resource, have to be among the headers that are sent on.</summary>
    private static void CheckCopied(
        RouteConfig route, IReadOnlyList<IReadOnlyDictionary<string, string>> transforms, FencingPolicy policy,
        IList<Exception> errors)
    {
        var (copies, at, allowed) = (true, 0, new List<string>());
        for (var i = 0; i < transforms.Count; i++)
        {
            if (transforms[i].TryGetValue(HeadersAllowed, out var names))
            {
                allowed.AddRange(
                    names.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
                (copies, at) = (false, i);
            }
            else if (transforms[i].TryGetValue(HeadersCopy, out var copy) && bool.TryParse(copy, out var isOn))
            {
                (copies, at) = (isOn, i);
            }
        }

        foreach (var header in copies ? [] : Named(policy, ResourceValueKind.Header).Prepend(policy.Header))
        {
            if (!allowed.Contains(header, StringComparer.OrdinalIgnoreCase))
            {
                errors.Add(PathOf(route, at), header == policy.Header
                    ? $"keeps {header} from the service, which has to get the token of fencing policy '{policy.Name}'; "
                        + $"name it in {HeadersAllowed}"
                    : $"keeps '{header}' from the service, {WhichNames(policy)}");
            }
        }
    }

    private static bool IsLiteralPrefix(string prefix, RouteConfig route)
    {
        try
        {
            var literal = RoutePatternFactory.Parse(route.Match.Path ?? "").PathSegments
                .TakeWhile(segment => segment.IsSimple && segment.Parts[0].IsLiteral)
                .Select(segment => ((RoutePatternLiteralPart)segment.Parts[0]).Content);
            return $"/{string.Join('/', literal)}/".StartsWith(
                prefix.TrimEnd('/') + "/", StringComparison.OrdinalIgnoreCase);
        }
        catch (RoutePatternException)
        {
            // YARP itself refuses such a path.
            return true;
        }
    }

    private static string[]? ParametersOf(string pattern)
    {
        try
        {
            return [.. RoutePatternFactory.Parse(pattern).Parameters.Select(parameter => parameter.Name)];
        }
        catch (RoutePatternException)
        {
            // YARP itself refuses such a pattern.
            return null;
        }
    }

    private static IEnumerable<string> Named(FencingPolicy policy, ResourceValueKind kind) =>
        policy.Resource.Parts.Where(part => part.Kind == kind).Select(part => part.Text);

    private static string WhichNames(FencingPolicy policy) =>
        $"which names the resource '{policy.Resource.Text}' of fencing policy '{policy.Name}': the service would see "
        + "another resource than the fence; take it out, or name the resource by something else";

    private static string PathOf(RouteConfig route, int index) =>
        ReverseProxyRules.PathIn(route, nameof(route.Transforms), index.ToString());
}
