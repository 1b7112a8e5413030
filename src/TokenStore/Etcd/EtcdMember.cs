using System.Net.Security;
using System.Net.Sockets;
using FenceGateway.TokenStore.Etcd.Wire;
using FenceGateway.TokenStore.Tls;
using Grpc.Net.Client;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// One member: its services over one connection for all calls and the watch, encrypted where the address says
/// <c>https://</c>, made anew when there is none. Nothing is tried again, but for what the member said, by HTTP/2's own
/// words (REFUSED_STREAM, GOAWAY), that it never looked at: the handler sends that again, three times at most.
/// </summary>
internal sealed class EtcdMember : IDisposable
{
    private const long Never = long.MinValue;

    /// <summary>The largest message taken: far above a page of 1000 marks with the longest keys.</summary>
    private const int MaxMessageBytes = 16 << 20;

    /// <summary>
    /// A member that is gone must leave time for the next one within a call. TLS takes a round trip more, or two, and
    /// arithmetic.
    /// </summary>
    private static readonly TimeSpan PlainConnectTimeout = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan TlsConnectTimeout = TimeSpan.FromSeconds(1);

    /// <summary>
    /// A watch may be silent for minutes: a member that hangs, or is gone, must not go unnoticed for as long. etcd
    /// hangs up on who pings more often than every 5 s (<c>--grpc-keepalive-min-time</c>), or while nothing is asked.
    /// </summary>
    private static readonly TimeSpan PingAfterSilence = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(5);

    private readonly Uri _address;
    private readonly StoreTls? _tls;
    private readonly TimeSpan _connectTimeout;
    private readonly TimeProvider _clock;
    private readonly GrpcChannel _channel;
    private long _timedOutAt = Never;

    public EtcdMember(Uri address, StoreTls tls, TimeProvider clock)
    {
        (_address, _clock) = (address, clock);
        (_tls, _connectTimeout) = address.Scheme == Uri.UriSchemeHttps
            ? (tls, TlsConnectTimeout)
            : (null, PlainConnectTimeout);
        _channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                UseProxy = false,
                UseCookies = false,
                AllowAutoRedirect = false,
                ConnectCallback = ConnectAsync,
                PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
                KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
                KeepAlivePingDelay = PingAfterSilence,
                KeepAlivePingTimeout = PingTimeout,
            },
            DisposeHttpClient = true,
            MaxReceiveMessageSize = MaxMessageBytes,
        });
        var invoker = _channel.CreateCallInvoker();
        KV = new KV.KVClient(invoker);
        Lease = new Lease.LeaseClient(invoker);
        Watch = new Watch.WatchClient(invoker);
        Cluster = new Cluster.ClusterClient(invoker);
        Maintenance = new Maintenance.MaintenanceClient(invoker);
        Auth = new Auth.AuthClient(invoker);
    }

    /// <summary>Host and port, for people.</summary>
    public string Name => _address.Authority;

    public KV.KVClient KV { get; }

    public Lease.LeaseClient Lease { get; }

    public Watch.WatchClient Watch { get; }

    public Cluster.ClusterClient Cluster { get; }

    public Maintenance.MaintenanceClient Maintenance { get; }

    public Auth.AuthClient Auth { get; }

    /// <summary>Why there is no connection, or none any more.</summary>
    public string Explain(Exception e)
    {
        var cause = e.InnerException ?? e;
        return _tls is not null && cause is IOException ? _tls.Explain(cause) : cause.Message;
    }

    public void Dispose() => _channel.Dispose();

    private async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        // All who wait for a connection try one after the other. What took one of them its time is not tried again for
        // each.
        if (Volatile.Read(ref _timedOutAt) is var then and not Never && _clock.GetElapsedTime(then) < _connectTimeout)
        {
            throw NotInTime();
        }

        using var bound = new CancellationTokenSource(_connectTimeout, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(bound.Token, cancellationToken);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, either.Token);
            var stream = new NetworkStream(socket, ownsSocket: true);
            return _tls is null
                ? stream
                : await _tls.AuthenticateAsync(
                    stream, context.DnsEndPoint.Host, either.Token, SslApplicationProtocol.Http2);
        }
        catch (Exception e)
        {
            socket.Dispose();
            if (e is OperationCanceledException && bound.IsCancellationRequested)
            {
                Volatile.Write(ref _timedOutAt, _clock.GetTimestamp());
                throw NotInTime();
            }

            throw;
        }
    }

    private TimeoutException NotInTime() => new($"It cannot be connected to within {_connectTimeout}.");
}
