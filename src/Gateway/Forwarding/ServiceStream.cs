using System.Net.Sockets;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// A connection to a service from which nothing goes out late: the kernel forgets what it could not deliver in time,
/// and all of it when the gateway gives the connection up. Otherwise it would go on to deliver a write that nobody
/// waits for any more, after a blip between the two, and after the gateway itself is gone.
/// </summary>
/// <remarks>Sources: tcp(7), TCP_USER_TIMEOUT and tcp_info; socket(7), SO_LINGER.</remarks>
internal sealed class ServiceStream(Socket socket) : NetworkStream(socket, ownsSocket: true)
{
    private const int IpProtoTcp = 6;
    private const int TcpUserTimeout = 18;
    private const int TcpInfo = 11;
    private const int TcpInfoLength = 148;
    private const int UnackedAt = 24;
    private const int NotSentAt = 144;
    private static readonly LingerOption Reset = new(enable: true, seconds: 0);
    private bool _isDisposed;

    /// <summary>
    /// Lets the kernel end the connection when something has not been acknowledged for <paramref name="limit"/>, be it
    /// that the service does not read. Linux only: elsewhere nothing of the kind is promised (docs/protocol.md).
    /// </summary>
    public static void Bound(Socket socket, TimeSpan limit)
    {
        if (OperatingSystem.IsLinux())
        {
            Span<byte> milliseconds = stackalloc byte[sizeof(int)];
            BitConverter.TryWriteBytes(milliseconds, (int)Math.Clamp(limit.TotalMilliseconds, 1, int.MaxValue));
            socket.SetRawSocketOption(IpProtoTcp, TcpUserTimeout, milliseconds);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_isDisposed)
        {
            _isDisposed = true;
            ResetIfUndelivered();
        }

        base.Dispose(disposing);
    }

    private void ResetIfUndelivered()
    {
        try
        {
            if (HasUndelivered())
            {
                Socket.LingerState = Reset;
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It has ended already.
        }
    }

    /// <summary>
    /// Whether the kernel has anything that the service's has not acknowledged; true where that cannot be known.
    /// </summary>
    private bool HasUndelivered()
    {
        if (!OperatingSystem.IsLinux())
        {
            return true;
        }

        Span<byte> info = stackalloc byte[TcpInfoLength];
        return Socket.GetRawSocketOption(IpProtoTcp, TcpInfo, info) < TcpInfoLength
            || BitConverter.ToUInt32(info[UnackedAt..]) > 0
            || BitConverter.ToUInt32(info[NotSentAt..]) > 0;
    }
}
