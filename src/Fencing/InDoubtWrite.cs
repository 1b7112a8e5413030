namespace FenceGateway.Fencing;

/// <summary>A forwarded write whose end is unknown: it may still be applied.</summary>
/// <param name="Token">The token it carried, 1 … 2^63−1.</param>
/// <param name="Until">When it stops to hold newer tokens back, in the caller's monotonic ticks.</param>
public readonly record struct InDoubtWrite(long Token, long Until);
