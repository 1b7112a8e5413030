using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Fencing;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.RouteValidators;

namespace FenceGateway.Gateway.RateLimiting;

/// <summary>What must hold between a route and the rate limit that it names.</summary>
internal sealed class RateLimitedRouteRules(
    IReadOnlyCollection<string> names, IReadOnlyDictionary<string, RateLimitPolicy> policies)
    : IRouteValidator
{
    private const string Default = "Default";

    public ValueTask ValidateAsync(RouteConfig routeConfig, IList<Exception> errors)
    {
        if (RouteRateLimit.PolicyOf(routeConfig) is { } name)
        {
            CheckName(routeConfig, name, errors);
        }

        return ValueTask.CompletedTask;
    }

    private void CheckName(RouteConfig route, string name, IList<Exception> errors)
    {
        if (policies.TryGetValue(name, out var policy))
        {
            foreach (var part in policy.PartitionBy.Parts)
            {
                CheckPart(route, policy, part, errors);
            }
        }
        else if (!names.Contains(name, StringComparer.OrdinalIgnoreCase))
        {
            errors.Add(Path(route), name.Equals(Default, StringComparison.OrdinalIgnoreCase)
                ? "is YARP's word for the limit of every route, which this gateway does not have; name a policy of "
                    + "FenceGateway:RateLimiterPolicies"
                : $"names no rate limiter policy '{name}'; "
                    + NearestName.Hint(name, names, "rate limiter policies"));
        }
    }

    private static void CheckPart(
        RouteConfig route, RateLimitPolicy policy, RateLimitKeyPart part, IList<Exception> errors)
    {
        if (part.Kind == RateLimitKeyKind.Resource && !FencedRouteRules.IsFenced(route))
        {
            errors.Add(Path(route), $"names '{policy.Name}', which is partitioned by {part}: that is the resource of "
                + "the route's FencingPolicy, and the route has none");
        }
        else if (part.Kind == RateLimitKeyKind.Route && ReverseProxyRules.Parameters(route) is { } parameters
            && !parameters.Contains(part.Name, StringComparer.OrdinalIgnoreCase))
        {
            errors.Add(Path(route), $"names '{policy.Name}', which is partitioned by {part}, and the route's "
                + $"Match.Path has no such parameter; {NearestName.Hint(part.Name, parameters, "parameters")}");
        }
    }

    private static string Path(RouteConfig route) =>
        ReverseProxyRules.PathIn(route, nameof(RouteConfig.RateLimiterPolicy));
}
