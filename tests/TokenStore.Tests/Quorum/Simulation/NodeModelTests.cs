using FenceGateway.Fencing;
using FenceGateway.Simulation.Parts;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Quorum;
using FenceGateway.TokenStore.Redis;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Tests.Quorum.Simulation;

/// <summary>The simulations are worth what their nodes are worth: the same as the scripts on a real Redis.</summary>
public sealed class NodeModelTests(QuorumFixture servers) : IClassFixture<QuorumFixture>
{
    private const int Steps = 3000;
    private static readonly ResourceKey Resource = Redis.RedisGateway.Key("r");

    [Fact]
    public async Task Scripts_RandomSteps_AnswerAsTheModel() => await new RandomSeed().RunAsync(async random =>
    {
        var settings = RedisLinkSettings.Read(servers.Servers[0].Configuration);
        await using var link = await RedisLink.ConnectAsync(settings, NullLogger.Instance, default);
        await using var node = new QuorumNode(0, settings, NullLogger.Instance, new Twins(link));
        var view = await ServeAsync(link, $"t{Guid.NewGuid():N}"[..32]);
        var model = new NodeModel();
        string[] sessions = ["a", "b", "c"];
        var sequence = 0L;
        for (var i = 0; i < Steps; i++)
        {
            var session = sessions[random.Next(sessions.Length)];
            var step = random.Next(100);
            if (step < 50)
            {
                var token = Math.Max(1, model.Mark + random.Next(-1, 3));
                var oldest = Math.Max(1, token - Math.Max(0, random.Next(-2, 3)));
                var number = random.Next(5) == 0 ? Math.Max(1, sequence - random.Next(4)) : ++sequence;
                HashSet<string> gone = random.Next(5) == 0 ? [sessions[random.Next(sessions.Length)]] : [];
                var request = new EnterRequest(
                    session, Resource, new FencingToken(token), new FencingToken(oldest), number, TimeSpan.Zero);
                var parts = await RunAsync(
                    NodeEnterScript.SendAsync(node, view, request, new ChangeStamp(i + 1, i), gone));
                var expected = model.Enter(session, token, oldest, number, gone);
                var answer = (int)parts[0] == NodeScript.SessionLost ? NodeEnter.Lost : NodeEnterScript.Read(parts);
                (answer.Status, answer.Mark, answer.Had).ShouldBe(
                    (expected.Status, expected.Mark, expected.Had), $"step {i}");
                Plain(answer).ShouldBe(Plain(expected), ignoreOrder: true, $"step {i}");
            }
            else if (step < 65)
            {
                var number = Math.Max(1, sequence - random.Next(3));
                await RunAsync(random.Next(2) == 0
                    ? NodeMarkScripts.WithdrawAsync(node, view, session, [new Registration(Resource, number)])
                    : NodeMarkScripts.RemoveAsync(node, view, Resource, [(session, number)]));
                model.Withdraw(session, number);
            }
            else if (step < 70)
            {
                var mark = Math.Max(1, model.Mark + random.Next(-1, 2));
                await RunAsync(
                    NodeMarkScripts.RaiseAsync(
                        node, view, Resource, mark, new ChangeStamp(i + 1, i), random.Next(2) == 0));
                model.Raise(mark);
            }
            else if (step < 80)
            {
                ((int)(await RunAsync(NodeSessionScripts.StartAsync(node, view, session, NodeModel.TimeToLive, i)))[0] == 0)
                    .ShouldBe(model.Start(session, i), $"step {i}");
            }
            else if (step < 95)
            {
                // Now and then one that comes late.
                var beat = i - random.Next(3) / 2 * 40;
                ((int)(await RunAsync(NodeSessionScripts.BeatAsync(node, view, session, Math.Max(0, beat))))[0] == 0)
                    .ShouldBe(model.Beat(session, Math.Max(0, beat)), $"step {i}");
            }
            else if (random.Next(2) == 0)
            {
                var expected = random.Next(2) == 0 ? model.Sight(session) : new SessionSight(SessionLife.Alive, 0);
                ((int)(await RunAsync(NodeSessionScripts.EndAsync(node, view, session, isClean: false, expected)))[0] == 0)
                    .ShouldBe(model.End(session, expected), $"step {i}");
                if (random.Next(2) == 0)
                {
                    // A new one under the place of the old.
                    sessions[Array.IndexOf(sessions, session)] = $"{session[0]}{i}";
                }
            }
            else
            {
                var generation = view.Generation + random.Next(-1, 2);
                var code =
                    (int)(await RunAsync(NodeMarkScripts.FindAsync(node, view with { Generation = generation }, Resource)))[0];
                code.ShouldBe(model.Refusal(generation) ?? 0, $"step {i}");
                view = view with { Generation = Math.Max(view.Generation, generation) };
            }
        }
    });

    [Fact]
    public async Task Scripts_AtANodeThatServesNothingOrAnother_Abstain()
    {
        await using var node = new QuorumNode(
            0, RedisLinkSettings.Read(servers.Servers[0].Configuration), NullLogger.Instance);
        await node.ConnectAsync();
        var keys = new QuorumKeys($"t{Guid.NewGuid():N}"[..32]);
        var view = new QuorumView(keys, "a.b.c", 1);
        ((int)(await RunAsync(NodeMarkScripts.FindAsync(node, view, Resource)))[0]).ShouldBe(NodeScript.Abstains);
        ((int)(await RunAsync(NodeSessionScripts.StartAsync(node, view, "s", NodeModel.TimeToLive, 0)))[0]).ShouldBe(
            NodeScript.Abstains);
        (await node.Link!.Database.KeyExistsAsync(keys.Sessions)).ShouldBeFalse();
    }

    /// <summary>
    /// It was given up, and is carried out after a step of the same session with the same mark: that step's
    /// registration stands.
    /// </summary>
    [Fact]
    public async Task SetMark_CarriedOutAfterALaterStepOfItsSession_ChangesNothing()
    {
        var settings = RedisLinkSettings.Read(servers.Servers[0].Configuration);
        await using var node = new QuorumNode(0, settings, NullLogger.Instance);
        await node.ConnectAsync();
        var view = await ServeAsync(node.Link!, $"t{Guid.NewGuid():N}"[..32]);
        await RunAsync(NodeSessionScripts.StartAsync(node, view, "a", NodeModel.TimeToLive, 0));
        await EnterAsync(1);
        await RunAsync(NodeMarkScripts.WithdrawAsync(node, view, "a", [new Registration(Resource, 1)]));
        var read = await ReadAsync();
        read.Registration("a").ShouldBeNull();
        await EnterAsync(2);

        (await SetAsync(read)).ShouldBe(1);
        var now = await ReadAsync();
        now.ShouldSatisfyAllConditions(
            () => now.Registration("a").ShouldBe(2), () => now.Sequence.ShouldBe(read.Sequence));
        (await SetAsync(now)).ShouldBe(0);
        (await ReadAsync()).Registration("a").ShouldBeNull();

        Task EnterAsync(long sequence) => RunAsync(NodeEnterScript.SendAsync(
            node, view,
            new EnterRequest("a", Resource, new FencingToken(40), new FencingToken(40), sequence, TimeSpan.Zero),
            new ChangeStamp(sequence, sequence), []));

        async Task<ReadResource> ReadAsync()
        {
            var parts = await RunAsync(NodeMarkScripts.FindAsync(node, view, Resource));
            return new ReadResource((string)parts[3]!, NodeWriter.ReadAll(parts, 4));
        }

        async Task<int> SetAsync(ReadResource asRead) => (int)(await RunAsync(NodeMarkScripts.SetAsync(
            node, view, new SetMarkRequest("a", Resource, 33, TimeSpan.Zero, "test", "test"), asRead,
            new ChangeStamp(9, 9), [])))[0];
    }

    /// <summary>Each change comes from a gateway whose clock is behind that of the one before.</summary>
    [Fact]
    public async Task Sequence_OfChangesFromClocksThatDiffer_GrowsAtAResource()
    {
        var settings = RedisLinkSettings.Read(servers.Servers[0].Configuration);
        await using var node = new QuorumNode(0, settings, NullLogger.Instance);
        await node.ConnectAsync();
        var view = await ServeAsync(node.Link!, $"t{Guid.NewGuid():N}"[..32]);
        await RunAsync(NodeSessionScripts.StartAsync(node, view, "a", NodeModel.TimeToLive, 0));

        // As of the year 2100.
        const long First = 8_400_000_000_000_000;
        await EnterAsync(5, First);
        (await SequenceAsync()).ShouldBe(First);
        await EnterAsync(6, First - 1_000_000_000_000);
        (await SequenceAsync()).ShouldBe(First + 1);
        await RunAsync(NodeMarkScripts.RaiseAsync(node, view, Resource, 7, new ChangeStamp(3, 3), always: false));
        (await SequenceAsync()).ShouldBe(First + 2);
        await RunAsync(NodeMarkScripts.SetAsync(
            node, view, new SetMarkRequest("a", Resource, 4, TimeSpan.Zero, "test", "test"),
            new ReadResource($"{First + 2}", [new NodeWriter("a", 6, 2, default, default)]), new ChangeStamp(9, 9),
            []));
        (await SequenceAsync()).ShouldBe(First + 3);
        await EnterAsync(8, First + 10);
        (await SequenceAsync()).ShouldBe(First + 10);

        Task EnterAsync(long token, long stamp) => RunAsync(NodeEnterScript.SendAsync(
            node, view,
            new EnterRequest(
                "a", Resource, new FencingToken(token), new FencingToken(token), token == 5 ? 1 : 2, TimeSpan.Zero),
            new ChangeStamp(stamp, stamp), []));

        async Task<long> SequenceAsync()
        {
            var found = (long)(await RunAsync(NodeMarkScripts.FindAsync(node, view, Resource)))[3];
            var listed = (string[])(await RunAsync(NodeMarkScripts.NamesAsync(node, view, "+inf", 10)))[2]!;
            long.Parse(listed[1], System.Globalization.CultureInfo.InvariantCulture).ShouldBe(found);
            return found;
        }
    }

    private static async Task<QuorumView> ServeAsync(RedisLink link, string prefix)
    {
        var keys = new QuorumKeys(prefix);
        var name = await MembershipScripts.SeatAsync(link, keys, "seat", default);
        await MembershipScripts.NoteAsync(link, keys, name, default);
        (await MembershipScripts.ServeAsync(link, keys, name, 1, default)).ShouldBe(name);
        return new QuorumView(keys, name, 1);
    }

    private static async Task<RedisResult[]> RunAsync(ValueTask<RedisResult> sent) => (RedisResult[])(await sent)!;

    private static IEnumerable<(string, long, long, SessionSight)> Plain(NodeEnter answer) =>
        answer.Writers.Select(w => (w.Session, w.Token, w.Sequence, w.Sight));

    /// <summary>
    /// A real Redis and the node of the simulated fleet, which has to answer each script as that does.
    /// </summary>
    private sealed class Twins(RedisLink redis) : IScriptRunner
    {
        private readonly SimulatedNode _node = new(null!);

        public string? Fault => redis.Fault;

        public async ValueTask<RedisResult> RunAsync(
            RedisScript script, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken)
        {
            var answer = await redis.RunAsync(script, keys, arguments, cancellationToken);
            if (script != NodeMarkScripts.FindScript)
            {
                Plain(_node.Run(script, arguments)).ShouldBe(
                    Plain(answer), string.Join(' ', arguments.Select(a => $"{a}")));
            }

            return answer;
        }

        /// <summary>Redis gives the fields of a hash in any order; what belongs together stays so.</summary>
        private static string Plain(RedisResult answer)
        {
            var parts = (RedisResult[])answer!;
            return parts.Length > 2 && parts[2].Resp2Type == ResultType.Array
                ? $"{parts[0]} {Sorted(parts[1], 2)} {Sorted(parts[2], 2)}"
                : $"{string.Join(' ', parts.Take(2))} {Sorted(parts.Skip(2), 3)}";
        }

        private static string Sorted(RedisResult parts, int size) => Sorted((RedisResult[])parts!, size);

        private static string Sorted(IEnumerable<RedisResult> parts, int size) => string.Join(
            ", ",
            parts.Chunk(size).Select(part => string.Join(' ', part.Select(p => $"{p}"))).Order(StringComparer.Ordinal));
    }
}
