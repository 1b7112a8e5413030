namespace FenceGateway.Fencing;

/// <summary>What to do next for a request that wants to be admitted.</summary>
public enum FenceStepKind
{
    /// <summary>Forward it now.</summary>
    Admit,

    /// <summary>Refuse it for good: the mark is above its token.</summary>
    RefuseStale,

    /// <summary>Refuse it for now: older writes did not end in time.</summary>
    RefuseDraining,

    /// <summary>Ask the store: <see cref="GatewayFence.BeginEnter"/>.</summary>
    Enter,

    /// <summary>Wait until the step that is under way at the store has ended.</summary>
    AwaitStore,

    /// <summary>Wait for older writes to end.</summary>
    AwaitDrain,

    /// <summary>This fence is out of use: look for the resource's new one.</summary>
    LookUpAgain,
}

/// <summary>What <see cref="GatewayFence.Next"/> answers.</summary>
/// <param name="Kind">What to do.</param>
/// <param name="Token">The token to enter with.</param>
/// <param name="Until">When what is in doubt stops to count, in monotonic ticks; 0 when nothing is in doubt.</param>
/// <param name="WakeAt">When to look again, if nothing happens before; 0 when only an event ends the wait.</param>
/// <param name="AfterWait">Whether the store is asked again only because time has passed.</param>
public readonly record struct FenceStep(
    FenceStepKind Kind, long Token = 0, long Until = 0, long WakeAt = 0, bool AfterWait = false);

/// <summary>A request that wants to be admitted.</summary>
/// <param name="Token">The token presented.</param>
/// <param name="Drain">Whether it waits for older writes (R4).</param>
/// <param name="AdvanceOnSuccess">Whether the mark advances only after a success, without a barrier.</param>
/// <param name="IsCurrent">Whether the mark is what the store has now: the store has answered since the request
/// arrived, or nobody else can raise it.</param>
/// <param name="IsOverdue">Whether its time to wait for older writes is up.</param>
public readonly record struct FenceRequest(
    long Token, bool Drain = true, bool AdvanceOnSuccess = false, bool IsCurrent = false, bool IsOverdue = false);

/// <summary>A step to send to the store.</summary>
/// <param name="Token">The token to enter with.</param>
/// <param name="Oldest">The lowest token that this gateway has in flight or in doubt, else
/// <paramref name="Token"/>.</param>
/// <param name="Session">The session to register.</param>
public readonly record struct FenceEnter(long Token, long Oldest, long Session);

/// <summary>How long the store's answer holds a token back, in monotonic ticks.</summary>
/// <param name="HoldUntil">When writes that ended sessions left behind stop to count; 0 when there are none.</param>
/// <param name="AskAt">When to ask again, at the latest, while others hold the token back; 0 when no others do.</param>
public readonly record struct FenceWait(long HoldUntil, long AskAt);
