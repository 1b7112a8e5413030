using FenceGateway.TestKit;
using FenceGateway.TokenStore.ZooKeeper;

namespace FenceGateway.TokenStore.Tests.ZooKeeper;

/// <summary>A peer that does not behave costs a connection, never an answer that is not one.</summary>
public sealed class ZooKeeperConnectionTests
{
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(1);

    private static ZooKeeperRequest<string> Request =>
        ZooKeeperRequest.Create("/a", [], ephemeral: false, restricted: false);

    public static TheoryData<string> HostileReplies =>
        ["huge frame", "negative frame", "short frame", "other xid", "unasked", "cut body", "no utf8"];

    [Theory]
    [MemberData(nameof(HostileReplies))]
    public async Task SendAsync_HostileReply_EndsAsConnectionLossAndTheNextConnectionServes(string what)
    {
        var served = 0;
        await using var server = new ScriptedZooKeeper(
            frame => ScriptedZooKeeper.Operation(frame) == OperationCode.Ping ? ScriptedZooKeeper.Reply(
                -2, ZooKeeperError.Ok)
                : Interlocked.Increment(ref served) == 1 ? Hostile(what, ScriptedZooKeeper.Xid(frame))
                : ScriptedZooKeeper.Reply(ScriptedZooKeeper.Xid(frame), ZooKeeperError.Ok, w => w.Text("/a")),
            TimeSpan.FromSeconds(10));
        await using var client = await ConnectAsync(server);
        var lost = await client.SendAsync(Request, default).AsTask().WithinLimit("an end");
        lost.Error.ShouldBe(ZooKeeperError.ConnectionLoss);
        (await UntilAnsweredAsync(client)).Value.ShouldBe("/a");
        server.Connections.ShouldBe(2);
        client.Session.Id.ShouldBe(77);
    }

    [RealTimeFact]
    public async Task SendAsync_ServerThatSaysNothing_EndsAfterAThirdOfTheTimeoutAndGoesOnElsewhere()
    {
        await using var server = new ScriptedZooKeeper(_ => null, Short);
        await using var client = await ConnectAsync(server, Short);
        var began = TimeProvider.System.GetTimestamp();
        var lost = await client.SendAsync(Request, default).AsTask().WithinLimit("an end");
        lost.Error.ShouldBe(ZooKeeperError.ConnectionLoss);
        TimeProvider.System.GetElapsedTime(began).ShouldBeGreaterThan(Short / 3 - TimeLimit.TimerTick);
        client.IsAlive.ShouldBeTrue("the session is not lost with the connection");
    }

    [RealTimeFact]
    public async Task Connection_NothingToSend_IsPingedAndStays()
    {
        var pings = 0;
        var pinged = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = new ScriptedZooKeeper(
            _ =>
            {
                if (Interlocked.Increment(ref pings) == 4)
                {
                    pinged.TrySetResult();
                }

                return ScriptedZooKeeper.Reply(-2, ZooKeeperError.Ok);
            },
            Short * 3);
        await using var client = await ConnectAsync(server, Short * 3);
        await pinged.Task.WithinLimit("four pings");
        server.Connections.ShouldBe(1);
        client.Fault.ShouldBeNull();
    }

    [Fact]
    public async Task SendAsync_FrameLongerThanAServerTakes_IsRefusedHere()
    {
        await using var server = new ScriptedZooKeeper(_ => null, Short * 10);
        await using var client = await ConnectAsync(server);
        var reply = await client.SendAsync(
            ZooKeeperRequest.Create("/a", new byte[ZooKeeperRequest.MaxFrame], ephemeral: false, restricted: false),
            default);
        reply.Error.ShouldBe(ZooKeeperError.BadArguments);
        reply.Error.IsNotTaken().ShouldBeTrue();
        client.State.ShouldBe(ZooKeeperState.Connected);
    }

    [Fact]
    public async Task SendAsync_MoreThanMayBeUnderWay_WaitForRoomAndCanBeCancelled()
    {
        await using var server = new ScriptedZooKeeper(
            frame => ScriptedZooKeeper.Operation(frame) == OperationCode.Ping
                ? ScriptedZooKeeper.Reply(-2, ZooKeeperError.Ok)
                : null,
            TimeSpan.FromMinutes(5));
        await using var client = await ConnectAsync(server, TimeSpan.FromMinutes(5));
        var underWay = Enumerable.Range(0, ZooKeeperClient.MaxOutstanding)
            .Select(_ => client.SendAsync(Request, default).AsTask()).ToList();
        using var cancelled = new CancellationTokenSource();
        var waiting = client.SendAsync(Request, cancelled.Token).AsTask();
        waiting.IsCompleted.ShouldBeFalse();
        await cancelled.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => waiting);

        await client.DisposeAsync();
        (await Task.WhenAll(underWay)).ShouldAllBe(
            r => r.Error == ZooKeeperError.ConnectionLoss || r.Error == ZooKeeperError.NotSent);
        (await client.SendAsync(Request, default)).Error.ShouldBe(ZooKeeperError.NotSent);
    }

    [Fact]
    public async Task ConnectAsync_NobodyListens_WaitsUntilCancelledAndSaysWhy()
    {
        await using var client = new ZooKeeperClient(
            ServerList.Parse($"127.0.0.1:{FreePorts.Next()}"), Short, null, TimeProvider.System,
            new TestLogger<ZooKeeperClient>());
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(300), TimeProvider.System);
        await Should.ThrowAsync<OperationCanceledException>(() => client.ConnectAsync(limit.Token));
        client.Fault.ShouldNotBeNull().ShouldContain("127.0.0.1");
    }

    private static byte[] Hostile(string what, int xid) => what switch
    {
        "huge frame" => [0x7F, 0xFF, 0xFF, 0xFF, 0, 0],
        "negative frame" => [0xFF, 0xFF, 0xFF, 0xF0],
        "short frame" => [0, 0, 0, 3, 1, 2, 3],
        "other xid" => ScriptedZooKeeper.Reply(xid + 1, ZooKeeperError.Ok, w => w.Text("/evil")),
        "unasked" => [.. ScriptedZooKeeper.Reply(-4, ZooKeeperError.AuthFailed)],
        "cut body" => ScriptedZooKeeper.Reply(xid, ZooKeeperError.Ok, w => w.Int(1000)),
        _ => ScriptedZooKeeper.Reply(xid, ZooKeeperError.Ok, w => w.Buffer([0xFF, 0xFE])),
    };

    private static async Task<ZooKeeperClient> ConnectAsync(ScriptedZooKeeper server, TimeSpan? timeout = null)
    {
        var client = new ZooKeeperClient(
            ServerList.Parse($"127.0.0.1:{server.Port}"), timeout ?? TimeSpan.FromSeconds(10), null,
            TimeProvider.System,
            new TestLogger<ZooKeeperClient>());
        await client.ConnectAsync(default).WithinLimit("a connection");
        return client;
    }

    private static async Task<ZooKeeperReply<string>> UntilAnsweredAsync(ZooKeeperClient client)
    {
        while (true)
        {
            var reply = await client.SendAsync(Request, default).AsTask().WithinLimit("a reply");
            if (reply.Error != ZooKeeperError.NotSent)
            {
                return reply;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }
    }
}
