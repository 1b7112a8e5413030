using System.Net;
using System.Net.Sockets;
using System.Text;

namespace FenceGateway.TestKit.Tests.Network;

public sealed class TcpProxyTests : IAsyncLifetime
{
    private static readonly TimeSpan AMoment = TimeSpan.FromMilliseconds(100);

    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private TcpProxy _proxy = null!;

    public ValueTask InitializeAsync()
    {
        _server.Start();
        _proxy = new TcpProxy(((IPEndPoint)_server.LocalEndpoint).Port);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _server.Dispose();
    }

    [Fact]
    public async Task Forward_SeveralConnections_EachReachesItsOwn()
    {
        var (first, firstServer) = await ConnectAsync();
        var (second, secondServer) = await ConnectAsync();

        await SendAsync(second, "two");
        await SendAsync(first, "one");
        await SendAsync(firstServer, "eins");

        (await ReceiveAsync(firstServer)).ShouldBe("one");
        (await ReceiveAsync(secondServer)).ShouldBe("two");
        (await ReceiveAsync(first)).ShouldBe("eins");
        _proxy.Connections.ShouldBe(2);
    }

    [Fact]
    public async Task Forward_ClientHasSentAll_AnswerStillArrives()
    {
        var (client, server) = await ConnectAsync();

        await SendAsync(client, "question");
        client.Shutdown(SocketShutdown.Send);
        (await ReceiveAsync(server)).ShouldBe("question");
        (await ReceiveAsync(server)).ShouldBe("");
        await SendAsync(server, "answer");
        server.Shutdown(SocketShutdown.Send);

        (await ReceiveAsync(client)).ShouldBe("answer");
        (await ReceiveAsync(client)).ShouldBe("");
    }

    [Fact]
    public async Task Forward_NobodyListens_ConnectionEnds()
    {
        await using var nowhere = new TcpProxy(FreePorts.Next());

        (await RefusesAsync(nowhere)).ShouldBeTrue();
    }

    [Fact]
    public async Task Cut_OpenConnection_BothSidesAreReset()
    {
        var (client, server) = await ConnectAsync();

        _proxy.Cut();

        (await EndsAsync(client)).ShouldBeTrue();
        (await EndsAsync(server)).ShouldBeTrue();
    }

    [Fact]
    public async Task Cut_NewConnection_IsResetUntilHealed()
    {
        _proxy.Cut();

        (await RefusesAsync(_proxy)).ShouldBeTrue();
        _server.Pending().ShouldBeFalse();
        _proxy.Heal();

        var (healed, server) = await ConnectAsync();
        await SendAsync(healed, "back");
        (await ReceiveAsync(server)).ShouldBe("back");
    }

    [Fact]
    public async Task Stall_WhatIsSent_ArrivesOnlyAfterTheEnd()
    {
        var (client, server) = await ConnectAsync();
        _proxy.Stall();
        await SendAsync(client, "late");

        var arrival = ReceiveAsync(server);
        await Eventually.IsSoAsync(() => _proxy.Held == 1, "it to be held");
        arrival.IsCompleted.ShouldBeFalse();
        _proxy.Heal();

        (await arrival).ShouldBe("late");
    }

    [Fact]
    public async Task Stall_ThenCut_WhatWasSentIsLost()
    {
        var (client, server) = await ConnectAsync();
        _proxy.Stall();
        await SendAsync(client, "lost");
        var arrival = EndsAsync(server);

        _proxy.Cut();
        _proxy.Heal();

        (await arrival).ShouldBeTrue();
    }

    [Fact]
    public async Task Forget_OpenConnection_IsSilentForGoodAndNewOnesAreServed()
    {
        var (client, server) = await ConnectAsync();
        _proxy.Forget();
        _proxy.Heal();
        await SendAsync(client, "lost");
        var arrival = server.ReceiveAsync(new byte[16]);

        var (newer, newerServer) = await ConnectAsync();
        await SendAsync(newer, "new");

        (await ReceiveAsync(newerServer)).ShouldBe("new");
        client.Shutdown(SocketShutdown.Send);
        await Eventually.IsSoAsync(() => _proxy.Held == 1, "what the forgotten one sent to be held");
        arrival.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task Delay_WhatIsSent_ArrivesLater()
    {
        var (client, server) = await ConnectAsync();
        _proxy.Delay(AMoment);
        var sent = TimeProvider.System.GetTimestamp();

        await SendAsync(client, "slow");

        (await ReceiveAsync(server)).ShouldBe("slow");
        TimeProvider.System.GetElapsedTime(sent).ShouldBeGreaterThan(AMoment - TimeLimit.TimerTick);
    }

    private async Task<(Socket Client, Socket Server)> ConnectAsync()
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(IPAddress.Loopback, _proxy.Port);
        return (client, await _server.AcceptSocketAsync().WithinLimit("a connection through the proxy"));
    }

    private static async Task SendAsync(Socket to, string text) => await to.SendAsync(Encoding.UTF8.GetBytes(text));

    private static async Task<string> ReceiveAsync(Socket from)
    {
        var buffer = new byte[1024];
        var count = await from.ReceiveAsync(buffer).WithinLimit("something to arrive");
        return Encoding.UTF8.GetString(buffer, 0, count);
    }

    /// <summary>Whether a new connection ends at once, be it before the client learns that it has one.</summary>
    private static async Task<bool> RefusesAsync(TcpProxy proxy)
    {
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, proxy.Port);
            return await EndsAsync(client);
        }
        catch (SocketException)
        {
            return true;
        }
    }

    /// <summary>Whether the connection ends, with a reset or without, before anything arrives on it.</summary>
    private static async Task<bool> EndsAsync(Socket socket)
    {
        try
        {
            return await socket.ReceiveAsync(new byte[1]).WithinLimit("the connection to end") == 0;
        }
        catch (SocketException)
        {
            return true;
        }
    }
}
