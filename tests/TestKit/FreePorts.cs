using System.Net;
using System.Net.Sockets;

namespace FenceGateway.TestKit;

/// <summary>
/// Ports of 127.0.0.1 that nobody listens on, each handed out once in this process. Taken from below Linux's range for
/// outgoing connections (32768 and up), so that no client socket takes one between the answer and its use.
/// </summary>
public static class FreePorts
{
    private const int First = 20_000;
    private const int Last = 32_000;
    private static readonly Lock Lock = new();
    private static readonly HashSet<int> Taken = [];

    public static int Next()
    {
        lock (Lock)
        {
            for (var attempt = 0; attempt < Last - First; attempt++)
            {
                // Random, since other processes look for ports as well.
                var port = Random.Shared.Next(First, Last);
                if (!Taken.Contains(port) && IsFree(port))
                {
                    _ = Taken.Add(port);
                    return port;
                }
            }
        }

        throw new InvalidOperationException($"No free port between {First} and {Last}");
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
