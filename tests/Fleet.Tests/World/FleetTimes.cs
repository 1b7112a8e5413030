namespace FenceGateway.Fleet.Tests.World;

/// <summary>The times of a fleet: short, so that a round takes about two seconds, and in the proportions that the rules need.</summary>
internal static class FleetTimes
{
    public static readonly TimeSpan SessionTtl = TimeSpan.FromSeconds(1);

    /// <summary>Not less than the session's: it may be ended behind its gateway's back (ZooKeeper).</summary>
    public static readonly TimeSpan InDoubtHold = TimeSpan.FromSeconds(1.2);

    public static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(0.3);

    public static readonly TimeSpan WriteTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Far less than <see cref="InDoubtHold"/>, so that a loaded machine does not turn an honest history into a violation.</summary>
    public const int MaxServiceMs = 40;

    /// <summary>I7 in docs/protocol.md.</summary>
    public static TimeSpan RecoveryBound => SessionTtl + InDoubtHold + WriteTimeout;

    /// <summary>How long a client waits for an answer; a gateway that is stopped gives none.</summary>
    public static readonly TimeSpan ClientPatience = TimeSpan.FromSeconds(1.5);
}
