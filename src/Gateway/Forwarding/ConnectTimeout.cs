using System.Net.Sockets;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// Bounds how long a connection to a service may take to come about. A connection belongs to a cluster and the time-out may be a
/// route's: the request that a connection is opened for brings it along.
/// </summary>
internal sealed class ConnectTimeout(TimeProvider time)
{
    private static readonly HttpRequestOptionsKey<TimeSpan> Key = new("FenceGateway.ConnectTimeout");

    public static void Set(HttpRequestMessage request, TimeSpan timeout) => request.Options.Set(Key, timeout);

    /// <summary>Opens a connection: a handler's <see cref="SocketsHttpHandler.ConnectCallback"/>.</summary>
    /// <param name="context">What for.</param>
    /// <param name="undelivered">How long the kernel may try to deliver what was sent; null for as long as it does.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    public async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context, TimeSpan? undelivered, CancellationToken cancellationToken)
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

            if (undelivered is not { } limit)
            {
                return new NetworkStream(socket, ownsSocket: true);
            }

            // Not before: it would end the attempt to connect too.
            ServiceStream.Bound(socket, limit);
            return new ServiceStream(socket);
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
        catch (Exception e) when (e is OperationCanceledException or SocketException && expired.IsCancellationRequested)
        {
            // A socket may also say that its attempt was broken off.
            throw new TimeoutException($"No connection to {address.Host}:{address.Port} within {timeout}.", e);
        }
    }
}
