namespace FenceGateway.Fencing;

/// <summary>What a token store says to a gateway that wants to write with a token.</summary>
public enum EnterStatus
{
    /// <summary>The mark stands at the token and no older write can be in flight: forward.</summary>
    Admitted,

    /// <summary>
    /// The mark stands at the token, and older writes are in flight or in doubt: wait, then ask again.
    /// </summary>
    Draining,

    /// <summary>The mark is above the token, definitively: refuse.</summary>
    Stale,
}
