using System.Globalization;

namespace FenceGateway.Gateway.Overload;

/// <summary>
/// What the process may take at once with the file descriptors that it has: one for each connection of a client, and
/// one for each request in progress, to the service. A process that runs out of them cannot go on: .NET ends it.
/// </summary>
/// <param name="Connections">Of clients.</param>
/// <param name="InFlight">Requests.</param>
internal readonly record struct DescriptorLimit(int Connections, int InFlight)
{
    /// <summary>
    /// For all the rest: files, stores, the admin listener and its clients, idle connections to services.
    /// </summary>
    public const int Reserved = 256;

    /// <summary>With fewer it is no gateway.</summary>
    public const int Least = Reserved + 64;

    private const string Limits = "/proc/self/limits";

    /// <summary>What is configured, or as much of it as there are descriptors for.</summary>
    public static DescriptorLimit Of(LimitsOptions options, long descriptors)
    {
        var left = Math.Max(descriptors, Least) - Reserved;
        var (connections, inFlight) = (options.MaxConnections, options.MaxInFlight);
        if (connections + (long)inFlight <= left)
        {
            return new(connections, inFlight);
        }

        var requests = (int)Math.Min(inFlight, left / 2);
        return new((int)Math.Min(connections, left - requests), requests);
    }

    /// <summary>How many connections there are descriptors for at the most, whatever is configured.</summary>
    public static int Room(LimitsOptions options, long descriptors) =>
        (int)Math.Min(int.MaxValue, Math.Max(descriptors, Least) - Reserved - Of(options, descriptors).InFlight);

    /// <summary>
    /// How many descriptors the process may have; as many as it likes where that cannot be known. .NET has raised the
    /// soft limit to the hard one by now.
    /// </summary>
    public static long Descriptors()
    {
        try
        {
            var line = File.ReadLines(Limits).First(
                static line => line.StartsWith("Max open files", StringComparison.Ordinal));
            return long.TryParse(
                line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3], NumberStyles.None,
                CultureInfo.InvariantCulture, out var soft)
                ? soft
                : long.MaxValue;
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or IndexOutOfRangeException)
        {
            return long.MaxValue;
        }
    }
}
