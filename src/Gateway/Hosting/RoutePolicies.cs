using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.Gateway.Resilience;
using Microsoft.AspNetCore.Cors.Infrastructure;

namespace FenceGateway.Gateway.Hosting;

/// <summary>
/// What a route runs under in one generation. Immutable but for what limiters, bulkheads and circuits count.
/// </summary>
internal sealed record RoutePolicies(
    FencingPolicy? Fencing, RouteMechanisms Mechanisms, RateLimit? Limit, CorsPolicy? Cors);
