namespace FenceGateway.Fleet.Tests.World;

/// <summary>The times of a fleet, in the proportions that the rules need.</summary>
internal sealed record FleetTimes
{
    /// <summary>
    /// So short that a round with a fault takes three seconds or so, and long enough for a machine with two cores that
    /// is busy with several fleets: a process that gets no CPU for a second loses its session.
    /// </summary>
    public static readonly FleetTimes Short = new()
    {
        SessionTtl = TimeSpan.FromSeconds(1.5),
        InDoubtHold = TimeSpan.FromSeconds(2),
        DrainTimeout = TimeSpan.FromSeconds(0.3),
        WriteTimeout = TimeSpan.FromSeconds(2),
    };

    /// <summary>As in the default configuration: nothing happens in a hurry.</summary>
    public static readonly FleetTimes Default = new()
    {
        SessionTtl = TimeSpan.FromSeconds(5),
        InDoubtHold = TimeSpan.FromSeconds(10),
        DrainTimeout = TimeSpan.FromSeconds(5),
        WriteTimeout = TimeSpan.FromSeconds(30),
    };

    public required TimeSpan SessionTtl { get; init; }

    /// <summary>Not less than the session's: it may be ended behind its gateway's back (ZooKeeper).</summary>
    public required TimeSpan InDoubtHold { get; init; }

    public required TimeSpan DrainTimeout { get; init; }

    public required TimeSpan WriteTimeout { get; init; }

    /// <summary>I7 in docs/protocol.md, for the session that the store has granted.</summary>
    public TimeSpan RecoveryBound(TimeSpan session) => session + InDoubtHold + WriteTimeout;
}
