using FenceGateway.Gateway.Idempotency;
using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Resilience;

/// <summary>
/// A resilience policy, parsed once and immutable; a mechanism that is null is off. Keys and defaults:
/// docs/configuration.md.
/// </summary>
/// <remarks>Records, so that a reload can tell what did not change.</remarks>
internal sealed record ResiliencePolicy(
    string Name,
    CircuitBreakerPolicy? CircuitBreaker,
    BulkheadPolicy? Bulkhead,
    TimeoutPolicy? Timeouts,
    RetryPolicy? Retry,
    IdempotencyPolicy? Idempotency);

internal sealed record CircuitBreakerPolicy(
    double FailureRatio,
    int MinimumThroughput,
    TimeSpan SamplingDuration,
    TimeSpan BreakDuration,
    int HalfOpenProbes,
    TimeSpan? SlowCallThreshold,
    StatusSet FailureStatuses);

internal sealed record BulkheadPolicy(
    int PermitLimit, int QueueLimit, TimeSpan QueueTimeout, ResourceBulkheadPolicy? PerResource,
    AdaptiveLimitPolicy? Adaptive);

/// <param name="PermitLimit">Requests of one resource at once.</param>
/// <param name="QueueLimit">Requests of one resource that may wait.</param>
/// <param name="QueueTimeout">How long they wait; the bulkhead's own.</param>
internal sealed record ResourceBulkheadPolicy(int PermitLimit, int QueueLimit, TimeSpan QueueTimeout);

internal sealed record AdaptiveLimitPolicy(int MinLimit, int MaxLimit);

internal sealed record TimeoutPolicy(TimeSpan? Connect, TimeSpan? FirstByte, TimeSpan? Idle, TimeSpan? Total);

internal sealed record RetryPolicy(
    int MaxAttempts, TimeSpan BaseDelay, TimeSpan MaxDelay, double BudgetRatio, StatusSet Statuses, int MaxBody);

internal sealed record IdempotencyPolicy(
    IdempotencyMode Mode, TimeSpan Ttl, bool HonouredByService, int MaxRequestBody, int MaxAnswerBody);
