using System.Net;
using System.Net.Sockets;
using FenceGateway.Gateway.Telemetry;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// Opens connections to services, and bounds how long one may take to come about, whichever of the service's addresses
/// it is to. A connection belongs to a cluster and the time-out may be a route's: the request that a connection is
/// opened for brings it along.
/// </summary>
internal sealed class ConnectTimeout(TimeProvider time, ILogger<ConnectTimeout> logger)
{
    private static readonly HttpRequestOptionsKey<TimeSpan> Key = new("FenceGateway.ConnectTimeout");
    private readonly LogThrottle _shortages = new(time);

    /// <summary>Looks up the addresses of a name, anew for each connection: the system's resolver, unless a test has
    /// one of its own.</summary>
    public Func<string, CancellationToken, Task<IPAddress[]>> Resolve { get; set; } = Dns.GetHostAddressesAsync;

    public static void Set(HttpRequestMessage request, TimeSpan timeout) => request.Options.Set(Key, timeout);

    /// <summary>Opens a connection: a handler's <see cref="SocketsHttpHandler.ConnectCallback"/>.</summary>
    /// <param name="context">What for.</param>
    /// <param name="undelivered">How long the kernel may try to deliver what was sent; null for as long as it
    /// does.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    public async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context, TimeSpan? undelivered, CancellationToken cancellationToken)
    {
        var socket = context.InitialRequestMessage.Options.TryGetValue(Key, out var timeout)
            ? await ConnectAsync(context.DnsEndPoint, timeout, cancellationToken)
            : await ConnectAsync(context.DnsEndPoint, cancellationToken);
        if (undelivered is not { } limit)
        {
            return new NetworkStream(socket, ownsSocket: true);
        }

        try
        {
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

    private async Task<Socket> ConnectAsync(DnsEndPoint address, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var expired = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(expired.Token, cancellationToken);
        try
        {
            return await ConnectAsync(address, either.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException && expired.IsCancellationRequested)
        {
            // A socket may also say that its attempt was broken off.
            throw new TimeoutException($"No connection to {address.Host}:{address.Port} within {timeout}.", e);
        }
    }

    private async Task<Socket> ConnectAsync(DnsEndPoint address, CancellationToken cancellationToken)
    {
        try
        {
            var addresses = IPAddress.TryParse(address.Host, out var literal)
                ? [literal]
                : await LookUpAsync(address.Host, cancellationToken);
            return await new AddressRace(addresses, address.Port, time).ConnectAsync(cancellationToken);
        }
        catch (SocketException e) when (AttemptResult.IsShortage(e.SocketErrorCode))
        {
            Report(address.Host, e.SocketErrorCode);
            throw;
        }
    }

    private async Task<IPAddress[]> LookUpAsync(string host, CancellationToken cancellationToken)
    {
        try
        {
            // The resolver of the system does not break off by itself.
            return await Resolve(host, cancellationToken).WaitAsync(cancellationToken);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.SocketError)
        {
            // EAI_SYSTEM: it could not even ask, for it has no descriptor. That is no word about the name.
            throw new SocketException((int)SocketError.TooManyOpenSockets);
        }
    }

    /// <summary>A flood of them must not flood the log.</summary>
    private void Report(string host, SocketError error)
    {
        if (_shortages.Count() is not null)
        {
            logger.Shortage(host, error, LogThrottle.Pause);
        }
    }
}
