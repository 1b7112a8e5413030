namespace FenceGateway.Simulation;

/// <summary>The times that every run is made with: short, as what matters is how they stand to each other.</summary>
internal static class Times
{
    public static readonly TimeSpan SessionTtl = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan Write = TimeSpan.FromMilliseconds(700);
    public static readonly TimeSpan InDoubtHold = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan Drain = TimeSpan.FromMilliseconds(400);

    /// <summary>
    /// After all faults the highest holder is admitted within this (I7): what holds it back ends by then, and gateways
    /// that waited for the store have asked again.
    /// </summary>
    public static readonly TimeSpan Recovery = (InDoubtHold * 1.5) + Write + SessionTtl + TimeSpan.FromSeconds(2);
}
