using System.ComponentModel;
using FenceGateway.Gateway.Admin;
using FenceGateway.Gateway.Chaos;
using FenceGateway.Gateway.Cors;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Idempotency;
using FenceGateway.Gateway.Lifecycle;
using FenceGateway.Gateway.Overload;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Stores;

namespace FenceGateway.Gateway.Settings;

/// <summary>
/// The section <c>FenceGateway</c>. Descriptions, bounds and defaults here are also the JSON schema's.
/// </summary>
[Description("Settings of the gateway itself. An unknown key is an error.")]
internal sealed class GatewayOptions
{

    [Description("The listener of operators: health and administration. Never reachable on the data listener.")]
    public AdminOptions Admin { get; set; } = new();

    [Description("Where the highest token seen of each resource is kept.")]
    public TokenStoreOptions TokenStore { get; set; } = new();

    [Description("Named rule sets. A route picks one through its Metadata: { \"FencingPolicy\": \"name\" }.")]
    public Dictionary<string, FencingPolicyOptions> FencingPolicies { get; set; } = new(
        StringComparer.OrdinalIgnoreCase);

    [Description("Named sets of circuit breaker, bulkhead, time-outs, retries and idempotency. A route or a cluster "
        + "picks one through its Metadata: { \"ResiliencePolicy\": \"name\" }.")]
    public Dictionary<string, ResiliencePolicyOptions> ResiliencePolicies { get; set; } = new(
        StringComparer.OrdinalIgnoreCase);

    [Description("Named rate limits. A route picks one through its RateLimiterPolicy.")]
    public Dictionary<string, RateLimiterPolicyOptions> RateLimiterPolicies { get; set; } = new(
        StringComparer.OrdinalIgnoreCase);

    [Description("Named sets of rules for pages of other origins (CORS). A route picks one through its CorsPolicy.")]
    public Dictionary<string, CorsPolicyOptions> CorsPolicies { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    [Description("Where the answers to requests with an Idempotency-Key are kept.")]
    public IdempotencyStoreOptions Idempotency { get; set; } = new();

    [Description("What the gateway takes at once.")]
    public LimitsOptions Limits { get; set; } = new();

    [Description("Faults on demand, for tests of clients and of this file's policies.")]
    public ChaosOptions Chaos { get; set; } = new();

    [Description("How the process ends after SIGTERM.")]
    public ShutdownOptions Shutdown { get; set; } = new();

    [Description("Which headers of a request its log lines repeat.")]
    public RequestOptions Requests { get; set; } = new();

    [Description("The line that is logged for each request.")]
    public AccessLogOptions AccessLog { get; set; } = new();

    [Description("What this gateway is called where several are listed: the names of its sessions begin with it, in "
        + "the store, at the admin listener and in logs. 1 to 64 of a-z, A-Z, 0-9, '.' and '-'. null: the machine's "
        + "name. Needs a restart.")]
    public string? InstanceName { get; set; }
}
