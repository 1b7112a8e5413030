using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Threading.Channels;
using FenceGateway.TokenStore.Tls;

namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// One connection, TCP or TLS over it, from the handshake to its end. Requests leave in the order in which they come
/// and are answered in that order, so that they can be pipelined. When it ends, everything on it ends: what never left
/// as <see cref="ZooKeeperError.NotSent"/>, the rest as <see cref="ZooKeeperError.ConnectionLoss"/>.
/// </summary>
/// <remarks>
/// It is given up when the oldest request, or a ping, has waited for a third of the session's timeout: whatever is at
/// the other end, there has to be time left to go on with the session elsewhere. Its queues are bounded by who sends
/// (<see cref="ZooKeeperClient"/>).
/// </remarks>
internal sealed class ZooKeeperConnection : IAsyncDisposable
{
    /// <summary>The longest frame that is taken from a server: a folder of many thousand names.</summary>
    public const int MaxReplyFrame = 16 << 20;

    private const int ReplyHeaderLength = 16;
    private const int SendTogether = 64 * 1024;
    private readonly Socket _socket;
    private readonly Stream _transport;
    private readonly Stream _incoming;
    private readonly TimeProvider _time;
    private readonly Channel<PendingRequest> _outgoing = Channel.CreateUnbounded<PendingRequest>(
        new() { SingleReader = true });
    private readonly ConcurrentQueue<PendingRequest> _pending = new();
    private readonly CancellationTokenSource _broken = new();
    private readonly Action<WatchEvent> _watched;
    private readonly Action<long> _seen;
    private int _xid;
    private long _lastSentAt;
    private long _pingSentAt;

    private ZooKeeperConnection(
        Socket socket, Stream transport, Stream incoming, SessionTicket? session, TimeProvider time,
        Action<WatchEvent> watched, Action<long> seen)
    {
        _socket = socket;
        _transport = transport;
        _incoming = incoming;
        _time = time;
        _watched = watched;
        _seen = seen;
        Session = session;
        _lastSentAt = time.GetTimestamp();
    }

    /// <summary>The session that the server granted; null when the one asked for has ended.</summary>
    public SessionTicket? Session { get; }

    /// <summary>Connects and shakes hands.</summary>
    /// <param name="server">Where to.</param>
    /// <param name="tls">How it is encrypted; null for not at all.</param>
    /// <param name="handshake">The first frame.</param>
    /// <param name="time">Its monotonic clock.</param>
    /// <param name="watched">A watch has fired. Called in order with the replies; has to be quick.</param>
    /// <param name="seen">The number of the latest change that a reply was given from.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    public static async Task<ZooKeeperConnection> OpenAsync(
        (string Host, int Port) server, StoreTls? tls, byte[] handshake, TimeProvider time, Action<WatchEvent> watched,
        Action<long> seen,
        CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(server.Host, server.Port, cancellationToken);
            Stream transport = new NetworkStream(socket);
            transport = tls is null
                ? transport
                : await tls.AuthenticateAsync(transport, server.Host, cancellationToken);
            await transport.WriteAsync(handshake, cancellationToken);
            var incoming = new BufferedStream(transport, SendTogether);
            var session = await ReadFrameAsync(
                incoming, static frame => SessionHandshake.Reply(frame), 20, cancellationToken);
            return new ZooKeeperConnection(socket, transport, incoming, session, time, watched, seen);
        }
        catch (IOException e) when (tls is not null)
        {
            socket.Dispose();
            throw new IOException(tls.Explain(e), e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends a request. False when the connection has ended: it did not leave, and was not told so.</summary>
    public bool TrySend(PendingRequest request) => _outgoing.Writer.TryWrite(request);

    /// <summary>Runs until the connection ends; throws what ended it.</summary>
    public async Task RunAsync(TimeSpan sessionTimeout, CancellationToken cancellationToken)
    {
        using var stopped = cancellationToken.UnsafeRegister(
            static state => ((ZooKeeperConnection)state!).Break(), this);
        Task[] loops = [ReadAsync(), WriteAsync(), WatchOverAsync(sessionTimeout / 3)];
        try
        {
            await await Task.WhenAny(loops);
        }
        finally
        {
            Break();
            await Task.WhenAll(loops).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            FailAll();
        }
    }

    /// <summary>Ends it, from any thread.</summary>
    public void Break()
    {
        _outgoing.Writer.TryComplete();
        if (!_broken.IsCancellationRequested)
        {
            _broken.Cancel();
        }

        _socket.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        Break();
        FailAll();
        await _transport.DisposeAsync();
    }

    private async Task WriteAsync()
    {
        var batch = new ArrayBufferWriter<byte>();
        while (await _outgoing.Reader.WaitToReadAsync(_broken.Token))
        {
            batch.ResetWrittenCount();
            while (batch.WrittenCount < SendTogether && _outgoing.Reader.TryRead(out var request))
            {
                request.SentAt = _lastSentAt = _time.GetTimestamp();
                if (!request.IsOutOfLine)
                {
                    if (request.Xid == 0)
                    {
                        // Stays positive: negative numbers are the protocol's own.
                        _xid = _xid == int.MaxValue ? 1 : _xid + 1;
                        request.Xid = _xid;
                    }

                    BinaryPrimitives.WriteInt32BigEndian(request.Frame.AsSpan(4), request.Xid);
                    _pending.Enqueue(request);
                }

                batch.Write(request.Frame);
            }

            await _transport.WriteAsync(batch.WrittenMemory, _broken.Token);
        }
    }

    private async Task ReadAsync()
    {
        while (true)
        {
            await ReadFrameAsync(_incoming, Take, ReplyHeaderLength, _broken.Token);
        }
    }

    private bool Take(ReadOnlySpan<byte> frame)
    {
        var reader = new JuteReader(frame);
        var xid = reader.Int();
        var zxid = reader.Long();
        var error = (ZooKeeperError)reader.Int();
        switch (xid)
        {
            case ZooKeeperRequest.PingXid:
                Volatile.Write(ref _pingSentAt, 0);
                break;
            case ZooKeeperRequest.AuthXid when error != ZooKeeperError.Ok:
                throw new ZooKeeperProtocolException("The server refuses the user or the password (Auth).");
            case ZooKeeperRequest.AuthXid:
                break;
            case ZooKeeperRequest.EventXid:
                var type = (WatchEventType)reader.Int();
                _ = reader.Int(); // the state of the connection, which is known here
                _watched(new WatchEvent(type, reader.Text()));
                break;
            default:
                if (!_pending.TryPeek(out var request) || request.Xid != xid)
                {
                    throw new ZooKeeperProtocolException(
                        $"A reply has the number {xid}; expected was {request?.Xid.ToString() ?? "none"}.");
                }

                if (zxid > 0)
                {
                    _seen(zxid);
                }

                request.Answer(error, zxid, ref reader);
                _ = _pending.TryDequeue(out _);
                break;
        }

        return true;
    }

    /// <summary>Pings when nothing else is sent, and gives the connection up when nothing comes back.</summary>
    private async Task WatchOverAsync(TimeSpan patience)
    {
        using var timer = new PeriodicTimer(patience / 8, _time);
        while (await timer.WaitForNextTickAsync(_broken.Token))
        {
            var oldest = _pending.TryPeek(out var request) ? request.SentAt : long.MaxValue;
            var ping = Volatile.Read(ref _pingSentAt);
            oldest = ping == 0 ? oldest : Math.Min(oldest, ping);
            if (oldest != long.MaxValue && _time.GetElapsedTime(oldest) > patience)
            {
                throw new TimeoutException($"The server did not answer within {patience}.");
            }

            if (ping == 0 && _time.GetElapsedTime(_lastSentAt) > patience - patience / 8)
            {
                Volatile.Write(ref _pingSentAt, _time.GetTimestamp());
                _ = TrySend(UnansweredRequest.Ping());
            }
        }
    }

    private void FailAll()
    {
        while (_pending.TryDequeue(out var request))
        {
            request.Fail(ZooKeeperError.ConnectionLoss);
        }

        while (_outgoing.Reader.TryRead(out var request))
        {
            request.Fail(ZooKeeperError.NotSent);
        }
    }

    private static async ValueTask<T> ReadFrameAsync<T>(
        Stream stream, Func<ReadOnlySpan<byte>, T> take, int shortest, CancellationToken cancellationToken)
    {
        var prefix = new byte[4];
        await stream.ReadExactlyAsync(prefix, cancellationToken);
        var length = BinaryPrimitives.ReadInt32BigEndian(prefix);
        if (length < shortest || length > MaxReplyFrame)
        {
            throw new ZooKeeperProtocolException($"A frame of {length} bytes was announced.");
        }

        var frame = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            await stream.ReadExactlyAsync(frame.AsMemory(0, length), cancellationToken);
            return take(frame.AsSpan(0, length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(frame);
        }
    }
}
