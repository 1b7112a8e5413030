using System.Net.Sockets;
using FenceGateway.TokenStore.Tls;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>Connections to the members, encrypted where the address says <c>https://</c>.</summary>
internal sealed class EtcdSockets(StoreTls tls)
{
    private const int SecondsUntilProbed = 10;
    private const int SecondsBetweenProbes = 5;
    private const int Probes = 3;

    /// <summary>A connection for a pool of one address.</summary>
    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            // A watch may be silent for minutes: a machine that is gone must not go unnoticed for as long.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, SecondsUntilProbed);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, SecondsBetweenProbes);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, Probes);
            await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
            var stream = new NetworkStream(socket, ownsSocket: true);
            return context.InitialRequestMessage.RequestUri?.Scheme == Uri.UriSchemeHttps
                ? await tls.AuthenticateAsync(stream, context.DnsEndPoint.Host, cancellationToken)
                : stream;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
