namespace FenceGateway.Fencing;

/// <summary>A session that may have writes in flight to a resource.</summary>
/// <param name="Session">Its name.</param>
/// <param name="Token">The lowest token of these writes.</param>
/// <param name="Sequence">Of the step that registered it.</param>
/// <param name="EndedAt">When the session ended, in monotonic ticks; null while it lives.</param>
public readonly record struct RegisteredWriter(string Session, long Token, long Sequence, long? EndedAt);

/// <summary>What <see cref="ResourceState.Enter"/> answers.</summary>
/// <param name="Status">Admitted, draining or stale.</param>
/// <param name="HeldFor">While draining: for how many ticks more registrations of ended sessions hold the token back; 0
/// when none does.</param>
/// <param name="HeldElsewhere">While draining: whether another session, which lives, may have older writes in
/// flight.</param>
/// <param name="Notify">Whether others have to be told: a living writer was sealed, or one that held newer tokens back
/// has gone.</param>
public readonly record struct EnterStep(
    EnterStatus Status, long HeldFor = 0, bool HeldElsewhere = false, bool Notify = false);
