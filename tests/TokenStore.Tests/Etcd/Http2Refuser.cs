using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace FenceGateway.TokenStore.Tests.Etcd;

/// <summary>Speaks as much HTTP/2 as it takes to refuse every request, and counts them.</summary>
internal sealed class Http2Refuser : IAsyncDisposable
{
    private const int PrefaceBytes = 24;
    private const int HeadBytes = 9;
    private const byte Headers = 1;
    private const byte Reset = 3;
    private const byte Settings = 4;
    private const byte GoAway = 7;

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly Func<int, byte[]> _refusal;
    private readonly Task _serving;
    private int _requests;

    private Http2Refuser(Func<int, byte[]> refusal)
    {
        _refusal = refusal;
        _listener.Start();
        _serving = ServeAsync();
    }

    public string Address => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Ends each stream with this code.</summary>
    public static Http2Refuser Resetting(uint code) => new(stream => Frame(Reset, stream, code));

    /// <summary>Ends each connection, having looked at the streams up to this one.</summary>
    public static Http2Refuser GoingAway(uint lastStream) => new(_ => Frame(GoAway, 0, lastStream, 0));

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Dispose();
        await _serving;
        _end.Dispose();
    }

    private static byte[] Frame(byte type, int stream, params uint[] words)
    {
        var frame = new byte[HeadBytes + (4 * words.Length)];
        (frame[2], frame[3]) = ((byte)(4 * words.Length), type);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        for (var i = 0; i < words.Length; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(HeadBytes + (4 * i)), words[i]);
        }

        return frame;
    }

    private async Task ServeAsync()
    {
        List<Task> connections = [];
        try
        {
            while (true)
            {
                connections.Add(RefuseAsync(await _listener.AcceptTcpClientAsync(_end.Token)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task RefuseAsync(TcpClient client)
    {
        using var connection = client;
        var stream = client.GetStream();
        try
        {
            await stream.ReadExactlyAsync(new byte[PrefaceBytes], _end.Token);
            await stream.WriteAsync(Frame(Settings, 0), _end.Token);
            while (true)
            {
                var head = new byte[HeadBytes];
                await stream.ReadExactlyAsync(head, _end.Token);
                await stream.ReadExactlyAsync(new byte[(head[0] << 16) | (head[1] << 8) | head[2]], _end.Token);
                if (head[3] == Headers)
                {
                    _ = Interlocked.Increment(ref _requests);
                    await stream.WriteAsync(_refusal(BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5))), _end.Token);
                }
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
        }
    }
}
