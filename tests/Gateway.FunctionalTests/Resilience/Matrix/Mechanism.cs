using FenceGateway.Gateway.FunctionalTests.Fence;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.Matrix;

/// <summary>A mechanism that is on, and the request that it is tried with.</summary>
/// <param name="Name">As in the table.</param>
/// <param name="Method">The request's method.</param>
/// <param name="Policy">The resilience policy; empty: the route has none.</param>
internal sealed record Mechanism(string Name, HttpMethod Method, string Policy)
{
    public static readonly TimeSpan Connect = TimeSpan.FromSeconds(2);
    public static readonly TimeSpan FirstByte = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan Total = TimeSpan.FromSeconds(17);
    public static readonly TimeSpan LongestRetryDelay = TimeSpan.FromSeconds(1);

    private static readonly string Timeouts = $$"""
        "Timeouts": { "Connect": "{{Connect}}", "FirstByte": "{{FirstByte}}", "Total": "{{Total}}" }
        """;

    private static readonly string Retry = $$"""
        {{Timeouts}}, "Retry": { "MaxAttempts": 2, "MaxDelay": "{{LongestRetryDelay}}" }
        """;

    private static readonly string HonouredKeys = $$"""{{Retry}}, "Idempotency": { "HonouredByService": true } """;

    public static readonly IReadOnlyList<Mechanism> All =
    [
        new("none", HttpMethod.Put, ""),
        new("timeouts", HttpMethod.Put, Timeouts) { HasTimeouts = true },
        new("retry-put", HttpMethod.Put, Retry) { Retries = true, HasTimeouts = true },
        new("retry-post", HttpMethod.Post, Retry) { Retries = true, HasTimeouts = true },
        new("retry-key", HttpMethod.Post, HonouredKeys) { Retries = true, HasTimeouts = true, HasKey = true },
        new("circuit", HttpMethod.Put, """
            "CircuitBreaker": { "FailureRatio": 0.5, "MinimumThroughput": 2, "SamplingDuration": "01:00:00", "BreakDuration": "00:00:05" }
            """),
        new("bulkhead", HttpMethod.Put, """ "Bulkhead": { "PermitLimit": 1, "QueueLimit": 0 } """) { IsProbed = true },
        new("idempotency", HttpMethod.Post, """ "Idempotency": {} """) { HasKey = true },
    ];

    /// <summary>What mechanisms count, and how the table writes it.</summary>
    public static readonly IReadOnlyDictionary<string, Func<Measured, string>> Instruments =
        new Dictionary<string, Func<Measured, string>>
        {
            ["fencegateway.retries"] = m => $"retried: {m.Tags["fencegateway.reason"]}",
            ["fencegateway.retries.out_of_budget"] = _ => "out of budget",
            ["fencegateway.circuit.attempts"] = m => m.Tags["fencegateway.verdict"],
            ["fencegateway.circuit.transitions"] = m => $"circuit: {m.Tags["fencegateway.state"]}",
            ["fencegateway.circuit.shed"] = _ => "shed",
            ["fencegateway.idempotency.requests"] = m => $"key: {m.Tags["fencegateway.outcome"]}",
            ["fencegateway.bulkhead.rejections"] = m => $"another: {m.Tags["fencegateway.reason"]}",
        };

    public bool HasTimeouts { get; init; }

    public bool Retries { get; init; }

    public bool HasKey { get; init; }

    /// <summary>Whether a client sees nothing of an answer before all of it is there: it is stored first.</summary>
    public bool KeepsAnswers => HasKey;

    /// <summary>Whether another request comes while the fault keeps the first one waiting.</summary>
    public bool IsProbed { get; init; }

    public GatewaySetup Setup => Policy.Length == 0
        ? new()
        : new()
        {
            Route = """ "Metadata": { "FencingPolicy": "per-order", "ResiliencePolicy": "matrix" } """,
            Gateway = $$""" "ResiliencePolicies": { "matrix": { {{Policy}} } } """,
        };

    public override string ToString() => Name;

    /// <summary>How long it takes until a request that hangs is given up.</summary>
    public TimeSpan Patience(Hang hang) => !HasTimeouts ? GatewaySetup.WriteTimeout : hang switch
    {
        Hang.Connecting => Connect,
        Hang.BeforeTheHead => FirstByte,
        _ => Total,
    };
}
