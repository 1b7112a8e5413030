namespace FenceGateway.TestKit;

/// <summary>
/// What several gateways on one store did, and what was done to them. Events are of one <see cref="EventClock"/>.
/// </summary>
public sealed record FleetHistory
{
    /// <summary>What arrived at the service.</summary>
    public required IReadOnlyList<ServiceWrite> Writes { get; init; }

    /// <summary>What clients saw; each names its gateway.</summary>
    public required IReadOnlyList<GatewayAnswer> Answers { get; init; }

    /// <summary>When there was no store.</summary>
    public IReadOnlyList<StoreOutage> Outages { get; init; } = [];

    /// <summary>How long the highest holders waited after a fault was over.</summary>
    public IReadOnlyList<Recovery> Recoveries { get; init; } = [];

    /// <summary>The longest that a <see cref="Recovery"/> may take.</summary>
    public TimeSpan RecoveryBound { get; init; } = TimeSpan.MaxValue;

    /// <summary>Resources that a fault elsewhere must not touch.</summary>
    public IReadOnlyList<Bystander> Bystanders { get; init; } = [];
}

/// <summary>A time in which the store answered nobody, or not one gateway.</summary>
/// <param name="Gone">Event: from here on the store answers nothing.</param>
/// <param name="SessionsOver">Event: every session has ended, for want of a heartbeat; after it nothing at all is
/// admitted.</param>
/// <param name="Back">Event: just before the store answers again.</param>
/// <param name="Gateway">The only gateway that it is gone for; null for all.</param>
public sealed record StoreOutage(long Gone, long SessionsOver, long Back, string? Gateway = null);

/// <summary>
/// How long the holder of the highest token had to try after the last fault was over, until it was admitted.
/// </summary>
public sealed record Recovery(string Resource, long Token, string Gateway, TimeSpan Took);

/// <summary>A resource whose holder, its gateway and the way to the store had no part in a fault.</summary>
/// <param name="Resource">The resource.</param>
/// <param name="From">Event: the fault begins.</param>
/// <param name="Until">Event: it is over.</param>
public sealed record Bystander(string Resource, long From, long Until);
