using System.Net;

namespace FenceGateway.TestKit;

/// <summary>
/// The kernel's TCP connections in this network namespace (proc(5), /proc/net/tcp), also those that no process has any
/// more.
/// </summary>
internal static class TcpTable
{
    public const string Established = "01";

    /// <summary>SYN_SENT: nothing but the question for a connection is in flight.</summary>
    public const string Asking = "02";

    /// <summary>
    /// State, and bytes that were not acknowledged, of each connection to an address, or to one port of it.
    /// </summary>
    public static IEnumerable<(string State, long Undelivered)> To(IPAddress address, int? port = null)
    {
        // The address's bytes stand in reverse; in the table of IPv6 others stand before them.
        var remote = Convert.ToHexString([.. address.GetAddressBytes().Reverse()]) + ":";
        return new[] { "/proc/net/tcp", "/proc/net/tcp6" }.SelectMany(File.ReadLines)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(columns => columns[2].Contains(remote, StringComparison.Ordinal)
                && (port is null || columns[2].EndsWith($":{port:X4}", StringComparison.Ordinal)))
            .Select(columns => (columns[3], Convert.ToInt64(columns[4].Split(':')[0], 16)));
    }
}
