using System.IO.Hashing;
using System.Runtime.InteropServices;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.LoadBalancing;

/// <summary>
/// Rendezvous hashing (Thaler and Ravishankar, 1998) with bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2018).
/// Each destination has a score for a key, and the highest score wins: a destination that goes gives away its own keys
/// only, one that comes takes its share of all others', and two gateways agree without talking. One that has more than
/// its share of the requests in progress is passed over for the next best.
/// </summary>
internal static class Rendezvous
{
    /// <summary>
    /// How many times the average a destination may have in progress: the lower, the more even, and the more keys are
    /// moved.
    /// </summary>
    public const double LoadFactor = 1.25;

    /// <summary>
    /// Requests in progress that any destination may have: around an average of one or two, chance alone exceeds the
    /// factor all the time, and keys would wander although nobody is busy.
    /// </summary>
    public const int FreeLoad = 8;

    /// <summary>A hash that is the same in every process.</summary>
    public static ulong Hash(ReadOnlySpan<char> text) => XxHash3.HashToUInt64(MemoryMarshal.AsBytes(text));

    /// <summary>The destination of the key with hash <paramref name="key"/>.</summary>
    /// <param name="key">The key's <see cref="Hash"/>.</param>
    /// <param name="destinations">At least one; their order does not matter.</param>
    public static DestinationState Pick(ulong key, IReadOnlyList<DestinationState> destinations)
    {
        var most = MostInProgress(destinations);
        DestinationState? best = null, bestOfAll = null;
        ulong highest = 0, highestOfAll = 0;
        for (var i = 0; i < destinations.Count; i++)
        {
            var destination = destinations[i];
            var score = Score(key, destination.DestinationId);
            if (bestOfAll is null || score > highestOfAll)
            {
                (bestOfAll, highestOfAll) = (destination, score);
            }

            if ((best is null || score > highest) && destination.ConcurrentRequestCount < most)
            {
                (best, highest) = (destination, score);
            }
        }

        // Below the bound there is always one, unless the counts have changed since they were summed up.
        return best ?? bestOfAll!;
    }

    /// <summary>What a destination may have in progress with the request that is about to come.</summary>
    private static long MostInProgress(IReadOnlyList<DestinationState> destinations)
    {
        long sum = 1;
        for (var i = 0; i < destinations.Count; i++)
        {
            sum += destinations[i].ConcurrentRequestCount;
        }

        return Math.Max(FreeLoad, (long)Math.Ceiling(LoadFactor * sum / destinations.Count));
    }

    /// <summary>The id is hashed each time: that is quicker than looking its hash up.</summary>
    private static ulong Score(ulong key, string id) => Mix(key ^ Hash(id));

    /// <summary>
    /// Spreads each bit over all others: the finalizer of MurmurHash3 with Stafford's constants (variant 13).
    /// </summary>
    private static ulong Mix(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
        x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
        return x ^ (x >> 31);
    }
}
