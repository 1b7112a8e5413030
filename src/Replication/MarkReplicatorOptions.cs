using FenceGateway.TokenStore;
namespace FenceGateway.Replication;

/// <summary>How marks of another region are taken over.</summary>
public sealed class MarkReplicatorOptions
{
    /// <summary>
    /// From the end of one look at the region to the next, spread by a quarter. 100 ms … 10 min, default 1 s.
    /// </summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>What one question to the region may take. Default 5 s.</summary>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// So much of what was read already is read again. A store may number a change before it commits it, so a lower
    /// number can turn up after a higher one; nothing that takes less than this from its number to its commit is
    /// missed. Default 10 s.
    /// </summary>
    public TimeSpan Overlap { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long after one look at every mark the next one begins; it finds whatever the others missed. Default 10 min.
    /// </summary>
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Marks read in one page, 2 … 1000. Default 500.</summary>
    public int PageSize { get; set; } = 500;

    /// <summary>
    /// Pages of new marks in one round; what is beyond is left to a sweep, which begins at once. Default 20.
    /// </summary>
    public int MaxPages { get; set; } = 20;

    /// <summary>
    /// How long writes of a gateway that is gone hold newer tokens back: the longest of all policies, for a merged mark
    /// must not end any hold. At most <see cref="EnterRequest.LongestHold"/>.
    /// </summary>
    public required Func<TimeSpan> InDoubtHold { get; set; }
}
