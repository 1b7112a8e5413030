using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Fencing;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Settings;

/// <summary>
/// Finds routes through which a stale holder can write to a service that another route fences. A service is known by
/// scheme, host and port, whatever cluster names it.
/// </summary>
internal static class UnfencedWays
{
    private static readonly string[] Reads =
        [HttpMethods.Get, HttpMethods.Head, HttpMethods.Options, HttpMethods.Trace];

    private const string Remedy =
        "a stale holder can write through it; give it a fencing policy that enforces, or Match.Methods that only read";

    public static IEnumerable<ConfigProblem> Of(GatewayConfiguration configuration)
    {
        var addresses = configuration.Clusters.ToDictionary(
            static cluster => cluster.ClusterId, Addresses, StringComparer.OrdinalIgnoreCase);
        var fences = new Dictionary<string, (RouteConfig Route, FencingMode Mode)>(StringComparer.OrdinalIgnoreCase);
        foreach (var route in configuration.Routes)
        {
            foreach (var address in Services(route))
            {
                if (Mode(route) is var mode and not FencingMode.Off
                    && (!fences.TryGetValue(address, out var known) || IsWeaker(known.Mode, mode)))
                {
                    fences[address] = (route, mode);
                }
            }
        }

        return from route in configuration.Routes
               where TakesWrites(route)
               let mode = Mode(route)
               let service = Services(route).FirstOrDefault(
                   address => fences.TryGetValue(address, out var fence) && IsWeaker(mode, fence.Mode))
               where service is not null
               select new ConfigProblem(
                   ReverseProxyRules.PathIn(route), Message(route, service, fences[service].Route));

        FencingPolicy? Policy(RouteConfig route) => FencedRouteRules.PolicyOf(route, configuration.FencingPolicies);

        FencingMode Mode(RouteConfig route) => Policy(route)?.Mode ?? FencingMode.Off;

        string[] Services(RouteConfig route) => addresses.GetValueOrDefault(route.ClusterId ?? "", []);

        string Message(RouteConfig route, string service, RouteConfig fenced)
        {
            var state = Policy(route) is { } policy
                ? $"has the fencing policy '{policy.Name}' with Mode {policy.Mode}"
                : "is not fenced";
            return $"{state}, and leads to {service} as the fenced route '{fenced.RouteId}' does: {Remedy}";
        }
    }

    /// <summary>Off, a policy that is not there included, is weaker than Report, and that than Enforce.</summary>
    private static bool IsWeaker(FencingMode mode, FencingMode other) =>
        mode != other && (mode == FencingMode.Off || other == FencingMode.Enforce);

    private static bool TakesWrites(RouteConfig route) =>
        route.Match.Methods is not { Count: > 0 } methods
        || methods.Any(static method => !Reads.Contains(method, StringComparer.OrdinalIgnoreCase));

    /// <summary>A cluster without destinations is a service of its own.</summary>
    private static string[] Addresses(ClusterConfig cluster) => cluster.Destinations is { Count: > 0 } destinations
        ? [.. destinations.Values.Select(static destination => Authority(new Uri(destination.Address)))]
        : [$"the cluster '{cluster.ClusterId}'"];

    /// <summary>All names of this machine are one.</summary>
    private static string Authority(Uri address) =>
        $"{address.Scheme}://{(address.IsLoopback ? "127.0.0.1" : address.Host)}:{address.Port}";
}
