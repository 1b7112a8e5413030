using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using FenceGateway.Gateway.Idempotency;

namespace FenceGateway.Gateway.Resilience;

[Description("A resilience policy. A mechanism that is not named is off.")]
internal sealed class ResiliencePolicyOptions
{
    [Description("Stops sending to a destination that keeps failing.")]
    public CircuitBreakerOptions? CircuitBreaker { get; set; }

    [Description("Bounds how many requests are at the service at once and how many wait for a place.")]
    public BulkheadOptions? Bulkhead { get; set; }

    [Description("How long things may take. One that is not named is off.")]
    public TimeoutOptions? Timeouts { get; set; }

    [Description("Tries again where that is safe.")]
    public RetryOptions? Retry { get; set; }

    [Description("Keeps the first answer of each Idempotency-Key and replays it.")]
    public IdempotencyOptions? Idempotency { get; set; }
}

internal sealed class CircuitBreakerOptions
{
    [Description("Share of failed attempts at which the circuit opens.")]
    [Range(0.01, 1.0)]
    public double FailureRatio { get; set; } = 0.5;

    [Description("Attempts that there must have been within the sampling duration before the ratio counts.")]
    [Range(2, 1_000_000)]
    public int MinimumThroughput { get; set; } = 20;

    [Description("How far back attempts count.")]
    [Range(typeof(TimeSpan), "00:00:00.500", "1.00:00:00")]
    public TimeSpan SamplingDuration { get; set; } = TimeSpan.FromSeconds(10);

    [Description("How long an open circuit stays open before it is probed.")]
    [Range(typeof(TimeSpan), "00:00:00.500", "1.00:00:00")]
    public TimeSpan BreakDuration { get; set; } = TimeSpan.FromSeconds(5);

    [Description("How many probes may be in flight at once when the break is over.")]
    [Range(1, 100)]
    public int HalfOpenProbes { get; set; } = 1;

    [Description("An attempt that takes longer counts as failed, whatever its answer. Null: no attempt does.")]
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan? SlowCallThreshold { get; set; }

    [Description("Statuses of the service that count as failures.")]
    [Range(400, 599)]
    public List<int> FailureStatuses { get; set; } = [502, 503, 504];
}

internal sealed class BulkheadOptions
{
    [Description("Requests at the service at once.")]
    [Range(1, 1_000_000)]
    public int PermitLimit { get; set; } = 64;

    [Description("Requests that may wait for a place; more get 503.")]
    [Range(0, 4096)]
    public int QueueLimit { get; set; } = 32;

    [Description("How long a request waits for a place before it gets 503.")]
    [Range(typeof(TimeSpan), "00:00:00.001", "00:10:00")]
    public TimeSpan QueueTimeout { get; set; } = TimeSpan.FromSeconds(1);

    [Description("The same for each resource by itself, so that a hot one does not starve others. Only on routes "
        + "with a fencing policy: it says what the resource is.")]
    public ResourceBulkheadOptions? PerResource { get; set; }

    [Description("Lets the gateway find the permit limit itself, by how latency answers to load.")]
    public AdaptiveLimitOptions? Adaptive { get; set; }
}

internal sealed class ResourceBulkheadOptions
{
    [Description("Requests of one resource at the service at once.")]
    [Range(1, 1_000_000)]
    public int PermitLimit { get; set; } = 8;

    [Description("Requests of one resource that may wait for a place; more get 503.")]
    [Range(0, 4096)]
    public int QueueLimit { get; set; } = 16;
}

internal sealed class AdaptiveLimitOptions
{
    [Description("The limit never goes below this.")]
    [Range(1, 1_000_000)]
    public int MinLimit { get; set; } = 4;

    [Description("The limit never goes above this. It starts at PermitLimit.")]
    [Range(1, 1_000_000)]
    public int MaxLimit { get; set; } = 1024;
}

internal sealed class TimeoutOptions
{
    [Description("Until a TCP connection to the service is there. Without it, and for TLS on top of it, the limit is "
        + "15 s.")]
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:15")]
    public TimeSpan? Connect { get; set; }

    [Description("From the start of an attempt until the head of the service's answer, the upload of the body "
        + "included.")]
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan? FirstByte { get; set; }

    [Description("Between two pieces of the request's or the answer's body. Replaces the cluster's ActivityTimeout.")]
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan? Idle { get; set; }

    [Description("From the first attempt to the end of the answer, all attempts and the waits between them included. A "
        + "fenced write ends at its policy's WriteTimeout if that is earlier.")]
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan? Total { get; set; }
}

internal sealed class RetryOptions
{
    [Description("Attempts, the first one included.")]
    [Range(2, 10)]
    public int MaxAttempts { get; set; } = 2;

    [Description("The wait before the second attempt, about; it doubles with each further one, with jitter.")]
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan BaseDelay { get; set; } = TimeSpan.FromMilliseconds(50);

    [Description("The longest wait between two attempts. A service that asks for more with Retry-After is not tried "
        + "again.")]
    [Range(typeof(TimeSpan), "00:00:00.001", "00:10:00")]
    public TimeSpan MaxDelay { get; set; } = TimeSpan.FromSeconds(1);

    [Description("Retries per request over the last ten seconds, at most; three are always possible.")]
    [Range(0.0, 1.0)]
    public double BudgetRatio { get; set; } = 0.2;

    [Description("Statuses of the service after which a safe request is tried again.")]
    [Range(400, 599)]
    public List<int> Statuses { get; set; } = [502, 503, 504];

    [Description("Longest request body, in bytes, that is kept for another attempt. A request with a longer one, or "
        + "one of unknown length, is tried again only if nothing of it was sent.")]
    [Range(0, 16 * 1024 * 1024)]
    public int MaxBody { get; set; } = 64 * 1024;
}

internal sealed class IdempotencyOptions
{
    [Description("Optional: requests with an Idempotency-Key are answered once. Required: a write without one gets "
        + "400.")]
    public IdempotencyMode Mode { get; set; } = IdempotencyMode.Optional;

    [Description("How long an answer is kept.")]
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan Ttl { get; set; } = TimeSpan.FromHours(24);

    [Description("Whether the service itself takes two requests with the same key for one. Then a request whose end is "
        + "unknown may be sent again.")]
    public bool HonouredByService { get; set; }

    [Description("Longest request body in bytes; a longer one gets 413 if it comes with a key.")]
    [Range(0, 64 * 1024 * 1024)]
    public int MaxRequestBody { get; set; } = 1024 * 1024;

    [Description("Longest answer body in bytes that is kept; a repeat of a longer one gets 409.")]
    [Range(0, 16 * 1024 * 1024)]
    public int MaxAnswerBody { get; set; } = 256 * 1024;
}
