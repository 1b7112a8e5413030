namespace FenceGateway.TokenStore;

/// <summary>What to do next for a request that wants to be admitted.</summary>
internal enum FenceStepKind
{
    Admit,
    RefuseStale,
    Enter,
    AwaitStore,
    AwaitDrain,
    LookUpAgain,
    RefuseDraining,
    RefuseUnavailable,
}

/// <param name="Kind">What to do.</param>
/// <param name="Token">The token to enter with.</param>
/// <param name="Until">When what is in doubt stops to count, in monotonic ticks; 0 when nothing is in doubt.</param>
/// <param name="WakeAt">When to look again, if nothing happens before; 0 when only an event ends the wait.</param>
/// <param name="Fault">Why the store cannot tell, where that refuses it.</param>
internal readonly record struct FenceStep(FenceStepKind Kind, long Token = 0, long Until = 0, long WakeAt = 0, string? Fault = null);
