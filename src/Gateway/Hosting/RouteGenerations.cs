using System.Collections.Frozen;
using System.Globalization;
using System.Runtime.CompilerServices;
using FenceGateway.Gateway.Cors;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Settings;
using Microsoft.AspNetCore.Cors;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Hosting;

/// <summary>
/// Builds each generation whole, the routes with the policies that they run under, and hands it to YARP, which swaps
/// all endpoints at once. An endpoint keeps the policies that it was built with, and a request its endpoint: a reload
/// never mixes two generations (R20).
/// </summary>
internal sealed class RouteGenerations
{
    /// <summary>
    /// Differs in each generation, so that YARP builds every endpoint anew. Not for configuration files, in whose keys
    /// a colon is a delimiter.
    /// </summary>
    private const string Stamp = "FenceGateway:Generation";

    /// <summary>YARP hands back the very route that it was given.</summary>
    private readonly ConditionalWeakTable<RouteConfig, RoutePolicies> _policies = [];

    private readonly InMemoryConfigProvider _provider = new([], []);
    private readonly RateLimitRegistry _limits;
    private readonly ResilienceRegistry _resilience;
    private readonly FencedServices _services;
    private readonly InDoubtHolds _holds;
    private long _generation;

    public RouteGenerations(
        LastGoodConfiguration configuration, RateLimitRegistry limits, ResilienceRegistry resilience,
        FencedServices services, InDoubtHolds holds)
    {
        (_limits, _resilience, _services, _holds) = (limits, resilience, services, holds);
        configuration.Serve(Apply);
    }

    /// <summary>Where YARP reads the generation in force from.</summary>
    public IProxyConfigProvider Provider => _provider;

    /// <summary>Gives the endpoint of a route what the route runs under.</summary>
    public void Attach(IEndpointConventionBuilder endpoint, RouteConfig route, ClusterConfig? cluster)
    {
        if (!_policies.TryGetValue(route, out var policies))
        {
            throw new InvalidOperationException($"Route '{route.RouteId}' belongs to no generation.");
        }

        endpoint.WithMetadata(policies.Mechanisms);
        if (policies.Fencing is { } fencing)
        {
            endpoint.WithMetadata(fencing);
            _services.Add(cluster);
        }

        if (policies.Limit is { } limit)
        {
            endpoint.WithMetadata(limit);
        }

        if (policies.Cors is { } cors)
        {
            endpoint.WithMetadata(new CorsPolicyMetadata(cors));
        }
    }

    private void Apply(GatewayConfiguration configuration)
    {
        _holds.Apply(configuration.FencingPolicies.Values);
        var limits = _limits.Apply(configuration.RateLimitPolicies);
        var mechanisms = _resilience.Apply(
            configuration.Routes, configuration.Clusters, configuration.ResiliencePolicies);
        var generation = (++_generation).ToString(CultureInfo.InvariantCulture);
        var routes = configuration.Routes.Select(route => Build(route, configuration, limits, mechanisms, generation))
            .ToList();
        _provider.Update(routes, configuration.Clusters);
    }

    private RouteConfig Build(
        RouteConfig configured,
        GatewayConfiguration configuration,
        IReadOnlyDictionary<string, RateLimit> limits,
        IReadOnlyDictionary<string, RouteMechanisms> mechanisms,
        string generation)
    {
        var route = RouteRateLimit.ForYarp(configured) with { CorsPolicy = null };
        var metadata = route.Metadata ?? FrozenDictionary<string, string>.Empty;
        route = route with
        {
            Metadata = new Dictionary<string, string>(metadata, StringComparer.OrdinalIgnoreCase)
            {
                [Stamp] = generation,
            },
        };
        _policies.Add(route, new RoutePolicies(
            FencedRouteRules.PolicyOf(route, configuration.FencingPolicies),
            mechanisms[route.RouteId],
            RouteRateLimit.PolicyOf(route) is { } limit ? limits[limit] : null,
            RouteCors.PolicyOf(configured, configuration.CorsPolicies)));
        return route;
    }
}
