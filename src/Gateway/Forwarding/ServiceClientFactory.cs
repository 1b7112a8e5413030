using System.Diagnostics;
using System.Net;
using System.Text;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Fencing;
using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// Makes each cluster's client of its service: connections come about in time, contents are the gateway's own, and
/// nothing goes out late to a service that a fenced route leads to. A tunnel, which cannot be fenced, has connections
/// of its own: these end in good order.
/// </summary>
internal sealed class ServiceClientFactory(ConnectTimeout connects, InForce<FencedRoutes> fenced)
    : ForwarderHttpClientFactory
{
    private readonly Dictionary<string, TimeSpan?> _undelivered = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>A connection keeps the bound that it began with: another bound needs other connections.</summary>
    protected override bool CanReuseOldClient(ForwarderHttpClientContext context)
    {
        lock (_undelivered)
        {
            return base.CanReuseOldClient(context)
                && ConnectionLifetime.Of(context.OldMetadata) == ConnectionLifetime.Of(context.NewMetadata)
                && _undelivered.TryGetValue(context.ClusterId, out var before)
                && before == Undelivered(context.ClusterId);
        }
    }

    protected override void ConfigureHandler(ForwarderHttpClientContext context, SocketsHttpHandler handler)
    {
        base.ConfigureHandler(context, handler);
        var undelivered = Undelivered(context.ClusterId);
        lock (_undelivered)
        {
            _undelivered[context.ClusterId] = undelivered;
        }

        handler.PooledConnectionLifetime = ConnectionLifetime.Of(context.NewMetadata);
        handler.ConnectCallback = (connection, cancellationToken) =>
            connects.ConnectAsync(connection, undelivered, cancellationToken);

        // What the handler asks for each header: the one moment between a connection, or a stream, and the head on it.
        var encoding = handler.RequestHeaderEncodingSelector;
        handler.RequestHeaderEncodingSelector = (header, request) =>
        {
            RequestContentHandler.LookAtHead(request);

            // As the listener has read it: by itself the handler sends nothing that is not ASCII.
            return encoding?.Invoke(header, request) ?? Encoding.UTF8;
        };
    }

    protected override HttpMessageHandler WrapHandler(ForwarderHttpClientContext context, HttpMessageHandler handler)
    {
        var tunnels = new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            EnableMultipleHttp2Connections = true,
            ActivityHeadersPropagator = new ReverseProxyPropagator(DistributedContextPropagator.Current),
            ConnectTimeout = TimeSpan.FromSeconds(15),
        };
        base.ConfigureHandler(context, tunnels);
        tunnels.ConnectCallback = (connection, cancellationToken) =>
            connects.ConnectAsync(connection, undelivered: null, cancellationToken);
        return new RequestContentHandler(new HttpMessageInvoker(tunnels))
        { InnerHandler = base.WrapHandler(context, handler) };
    }

    /// <summary>
    /// How long the kernel may try to deliver what was sent to the cluster: until the first write in doubt there stops
    /// to hold newer ones back. Null where no fenced route leads to it.
    /// </summary>
    private TimeSpan? Undelivered(string cluster) => fenced.Current.ShortestHold(cluster);
}
