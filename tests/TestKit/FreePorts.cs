using System.Net;
using System.Net.Sockets;

namespace FenceGateway.TestKit;

/// <summary>
/// Ports of 127.0.0.1 that belong to this process until it ends: for servers that have to be told their port, and to
/// whom they come back after a restart, and for addresses where nobody listens.
/// </summary>
/// <remarks>
/// Each is held by a socket that is bound and does not listen. The system gives such a port to nobody, be it for a
/// listener on port 0 or for a client, and refuses connections to it; a server that names it may still listen there,
/// since both allow the address to be used again (SO_REUSEADDR), as servers on Linux do. So there is no moment between
/// the choice of a port and its use in which another process could take it, and no test run collides with another.
/// </remarks>
public static class FreePorts
{
    private static readonly Lock Lock = new();
    private static readonly List<Socket> Held = [];

    public static int Next()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        lock (Lock)
        {
            Held.Add(socket);
        }

        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    /// <summary>
    /// Binds a socket of this process to one of them, also when another was just closed that listened there. A process
    /// that is started at this moment has copies of all sockets until its program runs: that one may listen for as
    /// long.
    /// </summary>
    /// <exception cref="TimeoutException">Somebody goes on listening there.</exception>
    public static void Bind(Socket socket, int port)
    {
        ArgumentNullException.ThrowIfNull(socket);
        if (!SpinWait.SpinUntil(() => TryBind(socket, port), TimeLimit.Default))
        {
            throw new TimeoutException($"Port {port} is still listened on.");
        }
    }

    private static bool TryBind(Socket socket, int port)
    {
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            return false;
        }
    }
}
