// Much of this waits for servers: more classes than a small machine has cores.
[assembly: Xunit.v3.Parallelization(MaxThreads = 4)]

namespace FenceGateway.TokenStore.Tests;

/// <summary>
/// Classes that have several servers to warm up, which would keep each other from answering in time: one of a kind at a
/// time.
/// </summary>
internal static class OneAtATime
{
    public const string Ensembles = nameof(Ensembles);
    public const string Garnets = nameof(Garnets);
}
