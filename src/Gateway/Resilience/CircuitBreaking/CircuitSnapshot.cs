using Polly.CircuitBreaker;

namespace FenceGateway.Gateway.Resilience.CircuitBreaking;

/// <summary>What a circuit looked like at one moment.</summary>
/// <param name="State">Its state; half-open as soon as the break is over.</param>
/// <param name="Since">Since when.</param>
/// <param name="Until">When the break is over; null unless it is open.</param>
/// <param name="Reason">Why it opened or was isolated, or what closed it; null when it was never anything but
/// closed.</param>
/// <param name="Counts">What it has seen since it was made.</param>
internal sealed record CircuitSnapshot(
    CircuitState State, DateTimeOffset Since, DateTimeOffset? Until, string? Reason, CircuitCounts Counts);

/// <param name="From">What it was.</param>
/// <param name="To">What it is.</param>
/// <param name="Reason">Why.</param>
/// <param name="BreakDuration">How long it stays open, if it is.</param>
internal sealed record CircuitChange(CircuitState From, CircuitState To, string? Reason, TimeSpan BreakDuration);

/// <param name="Succeeded">Attempts that succeeded.</param>
/// <param name="Failed">Attempts that failed, slow ones not included.</param>
/// <param name="Slow">Attempts that failed by taking too long.</param>
/// <param name="Neutral">Attempts that say nothing about the destination.</param>
/// <param name="Shed">Requests refused with 503 while the destination could have been theirs.</param>
internal readonly record struct CircuitCounts(long Succeeded, long Failed, long Slow, long Neutral, long Shed)
{
    public CircuitCounts Plus(AttemptVerdict verdict) => verdict switch
    {
        AttemptVerdict.Succeeded => this with { Succeeded = Succeeded + 1 },
        AttemptVerdict.Failed => this with { Failed = Failed + 1 },
        AttemptVerdict.Slow => this with { Slow = Slow + 1 },
        _ => this with { Neutral = Neutral + 1 },
    };
}
