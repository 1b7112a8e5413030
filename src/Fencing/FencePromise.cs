namespace FenceGateway.Fencing;

/// <summary>What a gateway keeps to because the store may know of it.</summary>
/// <param name="Sealed">No lower token is admitted, ever.</param>
/// <param name="AskedIn">The session, not a registered one, in which the store was asked for that token; 0 for
/// none.</param>
/// <param name="RegisteredIn">The session that may be registered; 0 for none.</param>
internal record struct FencePromise(long Sealed, long AskedIn, long RegisteredIn)
{
    public void Forget(long session)
    {
        AskedIn = AskedIn == session ? 0 : AskedIn;
        RegisteredIn = RegisteredIn == session ? 0 : RegisteredIn;
    }
}
