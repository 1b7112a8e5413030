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

/// <summary>The section <c>FenceGateway</c>. Descriptions, bounds and defaults here are also the JSON schema's.</summary>
[Description("Settings of the gateway itself. An unknown key is an error.")]
internal sealed class GatewayOptions
{
<<<<<<< HEAD:src/Gateway/Settings/GatewayOptions.cs
    [Description("What this gateway is called where several are listed: the names of its sessions begin with it, in the store, at the admin "
        + "listener and in logs. 1 to 64 of a-z, A-Z, 0-9, '.' and '-'. null: the machine's name. Needs a restart.")]
    public string? InstanceName { get; set; }
=======
    public const string Section = "FenceGateway";
>>>>>>> h4:src/Gateway/Configuration/GatewayOptions.cs

    [Description("The listener of operators: health and administration. Never reachable on the data listener.")]
    public AdminOptions Admin { get; set; } = new();

    [Description("Where the highest token seen of each resource is kept.")]
    public TokenStoreOptions TokenStore { get; set; } = new();

    [Description("Named rule sets. A route picks one through its Metadata: { \"FencingPolicy\": \"name\" }.")]
    public Dictionary<string, FencingPolicyOptions> FencingPolicies { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    [Description("Named sets of circuit breaker, bulkhead, time-outs, retries and idempotency. A route or a cluster picks one through "
        + "its Metadata: { \"ResiliencePolicy\": \"name\" }.")]
    public Dictionary<string, ResiliencePolicyOptions> ResiliencePolicies { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    [Description("Named rate limits. A route picks one through its RateLimiterPolicy.")]
    public Dictionary<string, RateLimiterPolicyOptions> RateLimiterPolicies { get; set; } = new(StringComparer.OrdinalIgnoreCase);

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

<<<<<<< HEAD:src/Gateway/Settings/GatewayOptions.cs
    [Description("The line that is logged for each request.")]
    public AccessLogOptions AccessLog { get; set; } = new();
=======
    [Description("What this gateway is called where several are listed: the names of its sessions begin with it, in the store, at the admin "
        + "listener and in logs. 1 to 64 of a-z, A-Z, 0-9, '.' and '-'. null: the machine's name. Needs a restart.")]
    public string? InstanceName { get; set; }
}

internal sealed class AdminOptions
{
    [Description("Address of the admin listener. It has no authentication: keep it on a loopback or private address. "
        + "Needs a restart.")]
    [Required]
    public string Url { get; set; } = "http://127.0.0.1:8081";

    [Description("Names by which the admin listener may be asked for, besides localhost and IP addresses: so that no web page can lead a "
        + "browser here by a name of its own. Needs a restart.")]
    public List<string> Hosts { get; set; } = [];
}

internal sealed class ShutdownOptions
{
    [Description("How long requests are still served after SIGTERM while readyz already answers 503.")]
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan Delay { get; set; } = TimeSpan.Zero;

    [Description("How long requests that are in flight may take to end after the listeners were closed.")]
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);
}

internal sealed class RequestOptions
{
    [Description("Header with an id of the request; made up where a request has none, and sent on to the service.")]
    [Required]
    public string CorrelationHeader { get; set; } = "X-Correlation-Id";

    [Description("Header that names the tenant in logs.")]
    [Required]
    public string TenantHeader { get; set; } = "X-Tenant-Id";

    [Description("Addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-For is believed. None: the client is who connects.")]
    public List<string> TrustedProxies { get; set; } = [];
>>>>>>> h4:src/Gateway/Configuration/GatewayOptions.cs
}
