using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using FenceGateway.TokenStore.ZooKeeper;

namespace FenceGateway.TokenStore.Tests.ZooKeeper;

/// <summary>A peer on a free port that grants a session and then says what the test wants.</summary>
internal sealed class ScriptedZooKeeper : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly Task _serving;
    private readonly CancellationTokenSource _stop = new();
    private int _connections;

    /// <param name="answer">The bytes to send for a frame that came; null for none. Nothing of it is checked.</param>
    /// <param name="timeout">Of the sessions.</param>
    public ScriptedZooKeeper(Func<byte[], byte[]?> answer, TimeSpan timeout)
    {
        _listener = new TcpListener(IPAddress.Loopback, 0);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _serving = ServeAsync(answer, timeout);
    }

    public int Port { get; }

    public int Connections => Volatile.Read(ref _connections);

    public static byte[] Reply(int xid, ZooKeeperError error, Func<JuteWriter, JuteWriter>? body = null)
    {
        var writer = new JuteWriter().Int(xid).Long(1).Int((int)error);
        return (body?.Invoke(writer) ?? writer).ToFrame();
    }

    public static int Xid(byte[] frame) => BinaryPrimitives.ReadInt32BigEndian(frame);

    public static OperationCode Operation(byte[] frame) =>
        (OperationCode)BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(4));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _serving;
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task ServeAsync(Func<byte[], byte[]?> answer, TimeSpan timeout)
    {
        List<Task> connections = [];
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                _ = Interlocked.Increment(ref _connections);
                connections.Add(ServeAsync(client, answer, timeout));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                break;
            }
        }

        await Task.WhenAll(connections);
    }

    private async Task ServeAsync(TcpClient client, Func<byte[], byte[]?> answer, TimeSpan timeout)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                _ = await ReadAsync(stream);
                await stream.WriteAsync(
                    new JuteWriter().Int(0).Int((int)timeout.TotalMilliseconds).Long(77).Buffer(new byte[16])
                        .Bool(false).ToFrame(), _stop.Token);
                while (true)
                {
                    if (answer(await ReadAsync(stream)) is { } bytes)
                    {
                        await stream.WriteAsync(bytes, _stop.Token);
                    }
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // The client has left, or the test has ended.
            }
        }
    }

    private async Task<byte[]> ReadAsync(Stream stream)
    {
        var length = new byte[4];
        await stream.ReadExactlyAsync(length, _stop.Token);
        var frame = new byte[BinaryPrimitives.ReadInt32BigEndian(length)];
        await stream.ReadExactlyAsync(frame, _stop.Token);
        return frame;
    }
}
