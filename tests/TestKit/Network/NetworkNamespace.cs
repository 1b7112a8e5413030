using System.Net;

namespace FenceGateway.TestKit;

/// <summary>
/// A network namespace with one link to this one, which can be taken down: packets get lost, and nobody is told. Needs
/// root and Debian's iproute2. Disposing removes it.
/// </summary>
public sealed class NetworkNamespace : IAsyncDisposable
{
    private const string Inside = "eth0";
    private static int _last;

    private readonly string _outside;

    private NetworkNamespace(int number)
    {
        // The name of a link has 15 characters at most; four addresses for each.
        var process = Environment.ProcessId;
        _outside = $"fg{process}n{number}";
        var network = new byte[] { 10, 231, (byte)(process % 256), (byte)(4 * (number % 64)) };
        Host = new IPAddress([.. network[..3], (byte)(network[3] + 1)]);
        Address = new IPAddress([.. network[..3], (byte)(network[3] + 2)]);
    }

    /// <summary>What it is called; programs start in it with <c>ip netns exec</c>.</summary>
    public string Name => _outside;

    /// <summary>Its address.</summary>
    public IPAddress Address { get; }

    /// <summary>The address at this end of the link.</summary>
    public IPAddress Host { get; }

    /// <exception cref="InvalidOperationException">It could not be made; the message says why.</exception>
    public static async Task<NetworkNamespace> CreateAsync()
    {
        var made = new NetworkNamespace(Interlocked.Increment(ref _last));
        try
        {
            await IpAsync("netns", "add", made.Name);
            await IpAsync("link", "add", made._outside, "type", "veth", "peer", "name", Inside, "netns", made.Name);
            await IpAsync("address", "add", $"{made.Host}/30", "dev", made._outside);
            await IpAsync("link", "set", made._outside, "up");
            await IpAsync("-n", made.Name, "address", "add", $"{made.Address}/30", "dev", Inside);
            await made.SetLinkAsync(isUp: true);
            return made;
        }
        catch
        {
            await made.DisposeAsync();
            throw;
        }
    }

    /// <summary>Takes the link down, or up again.</summary>
    public Task SetLinkAsync(bool isUp) => IpAsync("-n", Name, "link", "set", Inside, isUp ? "up" : "down");

    /// <summary>
    /// How many bytes the kernel has for the namespace that were not acknowledged, on connections that anybody has or
    /// nobody has any more.
    /// </summary>
    public long Undelivered =>
        TcpTable.To(Address).Where(connection => connection.State != TcpTable.Asking).Sum(
            connection => connection.Undelivered);

    /// <summary>How many connections to the namespace are established.</summary>
    public int Established => TcpTable.To(Address).Count(connection => connection.State == TcpTable.Established);

    public async ValueTask DisposeAsync()
    {
        try
        {
            // Takes its end of the link along, and so the link.
            await IpAsync("netns", "delete", Name);
        }
        catch (InvalidOperationException)
        {
            // It was never made.
        }
    }

    private static Task<string> IpAsync(params IEnumerable<string> arguments) => ChildProcess.RunAsync("ip", arguments);
}
