using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.ZooKeeper;

namespace FenceGateway.TokenStore.Tests.ZooKeeper;

/// <summary>The store's steps against a peer that is slow, or whose data is not a gateway's.</summary>
public sealed class ScriptedStoreTests
{
    [Fact]
    public async Task ListAsync_ServerThatIsSlow_IsAskedForFewFoldersAtATime()
    {
        var (asked, others) = (0, 0);
        await using var server = new ScriptedZooKeeper(
            frame => ScriptedZooKeeper.Operation(frame) switch
            {
                OperationCode.GetChildren when Interlocked.Increment(ref asked) > 0 => null,
                OperationCode.GetData when Interlocked.Increment(ref others) > 0 => null,
                _ => Answer(frame),
            },
            TimeSpan.FromMinutes(1));
        var client = await ConnectAsync(server, TimeSpan.FromMinutes(1));
        var listing = new ZooKeeperListing(Link(client), TimeProvider.System, new TestLogger<ZooKeeperListing>())
            .ListAsync(new MarkQuery("", long.MaxValue, 10), default).AsTask();

        await Eventually.IsSoAsync(
            () => Volatile.Read(ref asked) >= ZooKeeperListing.ListTogether, "the first folders are asked for");
        // On the same connection, behind whatever else was asked for.
        var last = client.SendAsync(ZooKeeperRequest.GetData("/last", watch: false), default).AsTask();
        await Eventually.IsSoAsync(() => Volatile.Read(ref others) > 0, "what was asked for last");
        asked.ShouldBe(ZooKeeperListing.ListTogether, "a heartbeat waits for all that was asked for before it");
        await client.DisposeAsync();
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => listing);
        (await last).Error.ShouldBe(ZooKeeperError.ConnectionLoss);
    }

    [Fact]
    public async Task ListAsync_NothingThere_AsksForEveryFolder()
    {
        var asked = 0;
        await using var server = new ScriptedZooKeeper(
            frame =>
            {
                _ = ScriptedZooKeeper.Operation(frame) == OperationCode.GetChildren
                    && Interlocked.Increment(ref asked) > 0;
                return Answer(frame);
            },
            TimeSpan.FromMinutes(1));
        await using var client = await ConnectAsync(server, TimeSpan.FromMinutes(1));

        (await new ZooKeeperListing(Link(client), TimeProvider.System, new TestLogger<ZooKeeperListing>()).ListAsync(new MarkQuery("", long.MaxValue, 10), default))
            .ShouldBeEmpty();

        asked.ShouldBe(ZooKeeperPaths.Folders);
    }

    [Fact]
    public async Task EnterAsync_DataBehindTheStepCannotBeRead_AnswersWhatWasTaken()
    {
        var reads = 0;
        await using var server = new ScriptedZooKeeper(
            frame => ScriptedZooKeeper.Operation(frame) == OperationCode.GetData
                && Interlocked.Increment(ref reads) == 2
                ? ScriptedZooKeeper.Reply(
                    ScriptedZooKeeper.Xid(frame), ZooKeeperError.Ok, w => Stat(w.Buffer([1, 2, 3])))
                : Answer(frame),
            TimeSpan.FromSeconds(10));
        await using var client = await ConnectAsync(server, TimeSpan.FromSeconds(10));
        var link = Link(client);
        using var session = new ZooKeeperSession(
            "s", link, TimeSpan.FromSeconds(60), TimeProvider.System, new TestLogger<ZooKeeperClient>());

        var reply = await link.Steps.EnterAsync(
            session, new EnterRequest("s", Key("a"), new FencingToken(5), new FencingToken(5), 1, TimeSpan.Zero),
            default);

        reply.ShouldBe(new EnterReply(EnterStatus.Admitted, new FencingToken(5)));
        reads.ShouldBe(2);
    }

    /// <summary>A store with nothing in it.</summary>
    private static byte[]? Answer(byte[] frame) => ScriptedZooKeeper.Operation(frame) switch
    {
        OperationCode.Ping => ScriptedZooKeeper.Reply(ZooKeeperRequest.PingXid, ZooKeeperError.Ok),
        OperationCode.GetChildren => ScriptedZooKeeper.Reply(
            ScriptedZooKeeper.Xid(frame), ZooKeeperError.Ok, w => w.Int(0)),
        OperationCode.Multi => ScriptedZooKeeper.Reply(
            ScriptedZooKeeper.Xid(frame), ZooKeeperError.Ok, w => Done(w, frame)),
        _ => ScriptedZooKeeper.Reply(ScriptedZooKeeper.Xid(frame), ZooKeeperError.NoNode),
    };

    /// <summary>A check, and behind it a node that is made where the frame is longer than a check.</summary>
    private static JuteWriter Done(JuteWriter writer, byte[] frame)
    {
        writer.Int((int)OperationCode.Check).Bool(false).Int(0);
        if (frame.Length > 100)
        {
            writer.Int((int)OperationCode.Create).Bool(false).Int(0).Text("/a");
        }

        return writer.Int(-1).Bool(true).Int(-1);
    }

    private static JuteWriter Stat(JuteWriter writer) =>
        writer.Long(1).Long(2).Long(0).Long(0).Int(1).Int(0).Int(0).Long(0).Int(3).Int(0).Long(0);

    private static ZooKeeperLink Link(ZooKeeperClient client) => new(
        client, ZooKeeperPaths.Parse("/f"), restricted: false, new TokenStore.ZooKeeper.ZooKeeperSessions(),
        new GoneSessions(TimeProvider.System),
        (_, _) => { }, TimeProvider.System, new TestLogger<ZooKeeperClient>());

    private static async Task<ZooKeeperClient> ConnectAsync(ScriptedZooKeeper server, TimeSpan timeout)
    {
        var client = new ZooKeeperClient(
            ServerList.Parse($"127.0.0.1:{server.Port}"), timeout, null, TimeProvider.System,
            new TestLogger<ZooKeeperClient>());
        await client.ConnectAsync(default).WithinLimit("a connection");
        return client;
    }

    private static ResourceKey Key(string text) =>
        ResourceKey.TryCreate(text, out var key) ? key : throw new ArgumentException("Not a key.", nameof(text));
}
