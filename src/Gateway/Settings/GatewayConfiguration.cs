using System.Collections.Frozen;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.Gateway.Resilience;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Settings;

/// <summary>A configuration that was checked as a whole. Immutable; a reload makes a new one.</summary>
/// <param name="Options">The section <c>FenceGateway</c>.</param>
/// <param name="FencingPolicies">The fencing policies by name, case aside.</param>
/// <param name="ResiliencePolicies">The resilience policies by name, case aside.</param>
/// <param name="RateLimitPolicies">The rate limiter policies by name, case aside.</param>
/// <param name="CorsPolicies">The CORS policies by name, case aside.</param>
/// <param name="Routes">YARP's routes.</param>
/// <param name="Clusters">YARP's clusters.</param>
internal sealed record GatewayConfiguration(
    GatewayOptions Options,
    FrozenDictionary<string, FencingPolicy> FencingPolicies,
    FrozenDictionary<string, ResiliencePolicy> ResiliencePolicies,
    FrozenDictionary<string, RateLimitPolicy> RateLimitPolicies,
    FrozenDictionary<string, CorsPolicy> CorsPolicies,
    IReadOnlyList<RouteConfig> Routes,
    IReadOnlyList<ClusterConfig> Clusters)
{
    /// <summary>The routes with their fencing policies.</summary>
    public FencedRoutes Fenced => new(Routes, FencingPolicies);
}
