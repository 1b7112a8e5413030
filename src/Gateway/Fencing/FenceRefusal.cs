using FenceGateway.Gateway.Problems;

namespace FenceGateway.Gateway.Fencing;

/// <summary>A refusal: what the fence said, and what the client is told.</summary>
/// <param name="Outcome">For logs and metrics.</param>
/// <param name="Type">The problem to answer with.</param>
/// <param name="Detail">A sentence for the client's developer.</param>
/// <param name="RetryAfter">When another try can succeed; null when none can.</param>
/// <param name="Fault">What operators are told besides, in the log: it may name hosts and users. Null: nothing.</param>
internal sealed record FenceRefusal(
    FenceOutcome Outcome, ProblemType Type, string Detail, TimeSpan? RetryAfter = null, string? Fault = null);
