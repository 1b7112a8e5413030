using System.Net;
using System.Net.Sockets;

namespace FenceGateway.Gateway.Demo;

/// <summary>The ports of the demo's three listeners, found free a moment ago.</summary>
internal sealed record DemoPorts(int Gateway, int Admin, int Service)
{
    public string GatewayUrl { get; } = Url(Gateway);

    public string AdminUrl { get; } = Url(Admin);

    public string ServiceUrl { get; } = Url(Service);

    /// <summary>
    /// Tries the ports asked for, all at once, so that free ones differ. They are let go again before the listeners
    /// take them: another program may be faster, and then the listener says so.
    /// </summary>
    /// <returns>The ports, or what is wrong with each that cannot be had.</returns>
    public static (DemoPorts? Ports, string[] Problems) Find(DemoArguments arguments)
    {
        var held = new List<TcpListener>();
        var problems = new List<string>();
        try
        {
            var gateway = Hold(arguments.Port, "gateway", "--port", held, problems);
            var admin = Hold(arguments.AdminPort, "admin listener", "--admin-port", held, problems);
            var service = Hold(arguments.ServicePort, "sample service", "--service-port", held, problems);
            return problems.Count > 0 ? (null, [.. problems]) : (new DemoPorts(gateway, admin, service), []);
        }
        finally
        {
            held.ForEach(listener => listener.Dispose());
        }
    }

    private static int Hold(int port, string owner, string option, List<TcpListener> held, List<string> problems)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        held.Add(listener);
        try
        {
            listener.Start();
            return ((IPEndPoint)listener.LocalEndpoint).Port;
        }
        catch (SocketException e)
        {
            var reason = e.SocketErrorCode == SocketError.AddressAlreadyInUse
                ? "is taken"
                : $"cannot be used ({e.Message})";
            problems.Add($"Port {port} of the {owner} {reason}. Choose another: {option} "
                + $"{Math.Min(port + 1000, 65535)}, or {option} 0 for any free one.");
            return port;
        }
    }

    private static string Url(int port) => $"http://127.0.0.1:{port}";
}
