using System.Net;
using System.Net.Sockets;

namespace FenceGateway.TestKit.Tests;

public sealed class FreePortsTests
{
    [Fact]
    public async Task Next_NobodyListens_ConnectionsAreRefused()
    {
        using var client = new TcpClient();
        var refused = await Should.ThrowAsync<SocketException>(
            () => client.ConnectAsync(IPAddress.Loopback, FreePorts.Next()));
        refused.SocketErrorCode.ShouldBe(SocketError.ConnectionRefused);
    }

    [Fact]
    public async Task Next_ListenerOfThisProcess_GetsItAgainAndAgain()
    {
        var port = FreePorts.Next();
        for (var i = 0; i < 3; i++)
        {
            using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            FreePorts.Bind(listener, port);
            listener.Listen();
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port);
            using var accepted = await listener.AcceptAsync();
        }
    }

    [Fact]
    public async Task Next_ServerThatIsKilled_ComesBackOnItsPort()
    {
        await using var server = await RedisServer.StartAsync();
        for (var i = 0; i < 3; i++)
        {
            await server.RestartAsync();
            (await server.CommandAsync("PING")).ShouldBe("PONG");
        }
    }

    [Fact]
    public void Next_SystemIsAskedForAnyPort_NeverGivesOneThatIsHeld()
    {
        HashSet<int> held = [.. Enumerable.Range(0, 500).Select(_ => FreePorts.Next())];
        held.Count.ShouldBe(500);
        for (var i = 0; i < 2_000; i++)
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            held.ShouldNotContain(((IPEndPoint)listener.LocalEndpoint).Port);
        }
    }
}
