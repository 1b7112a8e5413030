using System.Collections.Frozen;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Resilience;

/// <summary>
/// Turns the options of all resilience policies into policies, and reports what the options' own bounds cannot express.
/// </summary>
internal static class ResiliencePolicyReader
{
    public static FrozenDictionary<string, ResiliencePolicy> Read(
        IReadOnlyDictionary<string, ResiliencePolicyOptions> options, List<ConfigProblem> problems)
    {
        foreach (var (name, policy) in options)
        {
            Check(name, policy, problems);
        }

        return options.ToFrozenDictionary(p => p.Key, p => Policy(p.Key, p.Value), StringComparer.OrdinalIgnoreCase);
    }

    private static void Check(string name, ResiliencePolicyOptions policy, List<ConfigProblem> problems)
    {
        if (policy is { CircuitBreaker: null, Bulkhead: null, Timeouts: null, Retry: null, Idempotency: null })
        {
            problems.Add(
                new(Path(name), "names no mechanism: CircuitBreaker, Bulkhead, Timeouts, Retry or Idempotency"));
        }

        if (policy.Bulkhead is { Adaptive: { } adaptive } bulkhead)
        {
            if (adaptive.MinLimit > adaptive.MaxLimit)
            {
                problems.Add(new(
                    Path(name, "Bulkhead", "Adaptive", "MinLimit"),
                    $"is {adaptive.MinLimit}, above MaxLimit {adaptive.MaxLimit}"));
            }
            else if (bulkhead.PermitLimit < adaptive.MinLimit || bulkhead.PermitLimit > adaptive.MaxLimit)
            {
                problems.Add(new(
                    Path(name, "Bulkhead", "PermitLimit"),
                    $"is {bulkhead.PermitLimit}, where the adaptive limit starts, outside of {adaptive.MinLimit} to "
                        + $"{adaptive.MaxLimit}"));
            }
        }

        if (policy.Retry is { } retry && retry.BaseDelay > retry.MaxDelay)
        {
            problems.Add(new(
                Path(name, "Retry", "BaseDelay"),
                $"is {Durations.Write(retry.BaseDelay)}, longer than MaxDelay {Durations.Write(retry.MaxDelay)}"));
        }

        if (policy.Timeouts is { FirstByte: { } first, Total: { } total } && first > total)
        {
            problems.Add(new(
                Path(name, "Timeouts", "FirstByte"),
                $"is {Durations.Write(first)}, longer than Total {Durations.Write(total)}"));
        }
    }

    private static ResiliencePolicy Policy(string name, ResiliencePolicyOptions options) => new(
        name,
        options.CircuitBreaker is { } breaker
            ? new(breaker.FailureRatio, breaker.MinimumThroughput, breaker.SamplingDuration, breaker.BreakDuration,
                breaker.HalfOpenProbes, breaker.SlowCallThreshold, new StatusSet(breaker.FailureStatuses))
            : null,
        options.Bulkhead is { } bulkhead
            ? new(bulkhead.PermitLimit, bulkhead.QueueLimit, bulkhead.QueueTimeout,
                bulkhead.PerResource is { } resource
                    ? new(resource.PermitLimit, resource.QueueLimit, bulkhead.QueueTimeout)
                    : null,
                bulkhead.Adaptive is { } adaptive ? new(adaptive.MinLimit, adaptive.MaxLimit) : null)
            : null,
        options.Timeouts is { } times ? new(times.Connect, times.FirstByte, times.Idle, times.Total) : null,
        options.Retry is { } retry
            ? new(
                retry.MaxAttempts, retry.BaseDelay, retry.MaxDelay, retry.BudgetRatio, new StatusSet(retry.Statuses),
                retry.MaxBody)
            : null,
        options.Idempotency is { } keys
            ? new(keys.Mode, keys.Ttl, keys.HonouredByService, keys.MaxRequestBody, keys.MaxAnswerBody)
            : null);

    private static string Path(string name, params ReadOnlySpan<string> keys) =>
        ConfigPath.Of([SectionNames.Gateway, SectionNames.ResiliencePolicies, name, .. keys]);
}
