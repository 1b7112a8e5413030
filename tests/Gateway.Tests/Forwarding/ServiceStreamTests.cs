using System.Net;
using System.Net.Sockets;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.Tests.Forwarding;

public sealed class ServiceStreamTests : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public ServiceStreamTests()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
    }

    public void Dispose() => _listener.Dispose();

    [Theory]
    [InlineData(10_000, 10_000)]
    [InlineData(0.4, 1)]
    [InlineData(86_400_000, 86_400_000)]
    public void Bound_IsTheKernelsUserTimeout(double milliseconds, int expected)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

        ServiceStream.Bound(socket, TimeSpan.FromMilliseconds(milliseconds));

        var value = new byte[sizeof(int)];
        socket.GetRawSocketOption(6, 18, value).ShouldBe(sizeof(int));
        BitConverter.ToInt32(value).ShouldBe(expected);
    }

    [Fact]
    public async Task Dispose_ServiceHasAllOfIt_EndsInGoodOrder()
    {
        var (client, service) = await ConnectAsync();
        using var _ = service;
        await client.WriteAsync("all of it"u8.ToArray(), TestContext.Current.CancellationToken);
        await service.ReceiveAsync(new byte[16]);

        await client.DisposeAsync();

        (await service.ReceiveAsync(new byte[16]).WithinLimit("the end")).ShouldBe(0);
    }

    /// <summary>What the service's kernel has not taken yet never arrives.</summary>
    [Fact]
    public async Task Dispose_ServiceDoesNotRead_TheRestIsForgotten()
    {
        var (client, service) = await ConnectAsync();
        using var _ = service;
        long sent = 0;
        using (var full = new CancellationTokenSource())
        {
            var piece = new byte[256 * 1024];
            while (true)
            {
                var writing = client.WriteAsync(piece, full.Token);
                if (!writing.IsCompleted)
                {
                    await full.CancelAsync();
                    await Should.ThrowAsync<OperationCanceledException>(async () => await writing);
                    break;
                }

                await writing;
                sent += piece.Length;
            }
        }

        await client.DisposeAsync();

        long received = 0;
        var reset = await Should.ThrowAsync<SocketException>(async () =>
        {
            var buffer = new byte[256 * 1024];
            while (await service.ReceiveAsync(buffer).WithinLimit("more of it") is > 0 and var count)
            {
                received += count;
            }
        });
        reset.SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
        received.ShouldBeLessThan(sent);
    }

    private async Task<(ServiceStream Client, Socket Service)> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_listener.LocalEndPoint!);
        return (new ServiceStream(socket), await _listener.AcceptAsync());
    }
}
