using FenceGateway.Gateway.Forwarding;

namespace FenceGateway.Gateway.Resilience.CircuitBreaking;

/// <summary>What an attempt says about the destination that it went to.</summary>
internal enum AttemptVerdict
{
    /// <summary>Nothing: the client went away or was waited for, or the gateway itself was at fault (R14).</summary>
    Neutral,

    Succeeded,

    Failed,

    /// <summary>An answer that took too long; counts as a failure.</summary>
    Slow,
}

internal static class AttemptVerdicts
{
    public static AttemptVerdict Judge(this CircuitBreakerPolicy policy, in AttemptResult result) => result.Fault switch
    {
        _ when result.IsNeutral => AttemptVerdict.Neutral,
        not AttemptFault.None => AttemptVerdict.Failed,
        _ when policy.FailureStatuses.Contains(result.Status) => AttemptVerdict.Failed,
        // An upgraded connection lasts as long as its two ends want it to.
        _ when result.ServiceTime > policy.SlowCallThreshold
            && result.Status != StatusCodes.Status101SwitchingProtocols => AttemptVerdict.Slow,
        _ => AttemptVerdict.Succeeded,
    };

    /// <summary>What went wrong, for the log and the operator.</summary>
    public static string Describe(this CircuitBreakerPolicy policy, in AttemptResult result) => result.Fault switch
    {
        AttemptFault.Unreachable => "upstream-unreachable",
        AttemptFault.TimedOut => "upstream-timeout",
        AttemptFault.Broken => "connection broken",
        _ when policy.FailureStatuses.Contains(result.Status) => $"status {result.Status}",
        _ => $"an answer after {CircuitText.Of(result.ServiceTime)}",
    };

    public static string Name(this AttemptVerdict verdict) => verdict switch
    {
        AttemptVerdict.Succeeded => "succeeded",
        AttemptVerdict.Failed => "failed",
        AttemptVerdict.Slow => "slow",
        _ => "neutral",
    };
}
