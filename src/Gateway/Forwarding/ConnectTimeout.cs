using System.Net.Sockets;
using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// Bounds how long a connection to a service may take to come about. A connection belongs to a cluster and the time-out may be a
/// route's: the request that a connection is opened for brings it along.
/// </summary>
internal sealed class ConnectTimeout(TimeProvider time) : ForwarderHttpClientFactory
{
    private static readonly HttpRequestOptionsKey<TimeSpan> Key = new("FenceGateway.ConnectTimeout");

    public static void Set(HttpRequestMessage request, TimeSpan timeout) => request.Options.Set(Key, timeout);

    protected override void ConfigureHandler(ForwarderHttpClientContext context, SocketsHttpHandler handler)
    {
        base.ConfigureHandler(context, handler);
        handler.ConnectCallback = ConnectAsync;
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (context.InitialRequestMessage.Options.TryGetValue(Key, out var timeout))
            {
                await ConnectAsync(socket, context.DnsEndPoint, timeout, cancellationToken);
            }
            else
            {
                await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
            }

            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task ConnectAsync(Socket socket, System.Net.DnsEndPoint address, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var expired = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(expired.Token, cancellationToken);
        try
        {
            await socket.ConnectAsync(address, either.Token);
        }
        catch (OperationCanceledException e) when (expired.IsCancellationRequested)
        {
            throw new TimeoutException($"No connection to {address.Host}:{address.Port} within {timeout}.", e);
        }
    }
}
