using System.Text;
using System.Text.Json;
using FenceGateway.Fencing;
using FenceGateway.TestKit;

namespace FenceGateway.TokenStore.Tests.Etcd;

/// <summary>What is etcd's own, on a real etcd of one member.</summary>
public sealed class EtcdTokenStoreTests(EtcdFixture etcd) : IClassFixture<EtcdFixture>
{
    private static readonly TimeSpan ShortLife = TimeSpan.FromSeconds(1);

    private readonly string _prefix = EtcdFixture.NewPrefix();

    [Fact]
    public async Task OpenAsync_OneMember_IsGradedSingleAndSaysWhy()
    {
        await using var gateway = await StartAsync();
        gateway.Store.Info.Grade.ShouldBe(SafetyGrade.Single);
        gateway.Store.Info.GradeReasons[0].ShouldContain("one member");
        gateway.Store.Info.GradeReasons.ShouldContain(reason => reason.Contains("--unsafe-no-fsync"));
        gateway.Store.Info.Location.ShouldBe(etcd.Server.Address);
    }

    [Fact]
    public async Task StartSessionAsync_ShorterThanEtcdGrants_TellsWhatItGranted()
    {
        await using var gateway = await StartAsync(ShortLife);
        gateway.TimeToLive.ShouldBeGreaterThan(ShortLife);
        gateway.TimeToLive.TotalSeconds.ShouldBe(Math.Floor(gateway.TimeToLive.TotalSeconds));
    }

    [Fact]
    public async Task EnterAsync_NewResourceAndNewToken_CostOneRoundTripEach()
    {
        await using var gateway = await StartAsync();
        var before = gateway.Store.RoundTrips;
        (await gateway.EnterAsync("a", 5)).Status.ShouldBe(EnterStatus.Admitted);
        (await gateway.EnterAsync("a", 6)).Status.ShouldBe(EnterStatus.Admitted);
        (await gateway.EnterAsync("a", 5)).Status.ShouldBe(EnterStatus.Stale);
        (gateway.Store.RoundTrips - before).ShouldBe(3);
    }

    [Fact]
    public async Task EnterAsync_TakeoverFromAnotherGateway_CostsThreeRoundTripsBesidesTheDrain()
    {
        await using var old = await StartAsync();
        await using var next = await StartAsync();
        (await old.EnterAsync("a", 5)).Status.ShouldBe(EnterStatus.Admitted);
        (await next.EnterAsync("b", 1)).Status.ShouldBe(EnterStatus.Admitted);
        await old.EnterAsync("b", 2);
        await next.HearAsync("b"); // What the other one did before this is known here now.
        var before = old.Store.RoundTrips + next.Store.RoundTrips;

        (await next.EnterAsync("a", 6)).ShouldBe(
            new EnterReply(EnterStatus.Draining, new FencingToken(6), HeldElsewhere: true));
        (await old.HearAsync("a")).Mark.ShouldBe(6);
        await old.WithdrawAsync("a");
        await next.HearAsync("a"); // Once: of its own seal it was not told.
        (await next.EnterAsync("a", 6)).Status.ShouldBe(EnterStatus.Admitted);
        (old.Store.RoundTrips + next.Store.RoundTrips - before).ShouldBe(3);
    }

    [Fact]
    public async Task EnterAsync_HeldElsewhereWithWritesOfThisVeryToken_StaysRegisteredThere()
    {
        await using var other = await StartAsync();
        await using var gateway = await StartAsync();
        await using var next = await StartAsync();
        await gateway.EnterAsync("a", 6);
        await other.EnterAsync("a", 6, oldest: 5);
        (await gateway.EnterAsync("a", 6)).ShouldBe(
            new EnterReply(EnterStatus.Draining, new FencingToken(6), HeldElsewhere: true));
        await other.WithdrawAsync("a");
        (await next.EnterAsync("a", 7)).Status.ShouldBe(EnterStatus.Draining, "writes with 6 may be in flight");
    }

    [Fact]
    public async Task HeartbeatAsync_RegisteredBelowTheMark_TellsWhereUntilWithdrawn()
    {
        await using var old = await StartAsync();
        await using var next = await StartAsync();
        await old.EnterAsync("a", 5);
        await next.EnterAsync("a", 6);
        (await old.BeatAsync()).Revoked.ShouldBe([new ResourceChange(EtcdGateway.Key("a"), 6)]);
        await next.EnterAsync("a", 7);
        await old.WithdrawAsync("a");
        (await old.BeatAsync()).Revoked.ShouldBeEmpty();
        (await next.EnterAsync("a", 7)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [RealTimeFact]
    public async Task Session_LeaseRanOut_EndsForGoodAndHoldsForTheAskersTime()
    {
        await using var dead = await StartAsync(ShortLife);
        await using var next = await StartAsync();
        await dead.EnterAsync("a", 5);
        var hold = TimeSpan.FromMilliseconds(1500);
        await UntilEndedAsync(next, "a");

        (await dead.BeatAsync()).Alive.ShouldBeFalse();
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(() => dead.EnterAsync("a", 5));
        (refused.SessionEnded, refused.NotTaken).ShouldBe((true, true));
        var reply = await next.EnterAsync("a", 6, hold: hold);
        reply.Status.ShouldBe(EnterStatus.Draining);
        reply.HeldElsewhere.ShouldBeFalse();
        reply.RetryAfter.ShouldBeInRange(TimeSpan.FromMilliseconds(1), hold);
        var asked = TimeProvider.System.GetTimestamp();
        await Eventually.IsSoAsync(
            async () => (await next.EnterAsync("a", 6, hold: hold)).Status == EnterStatus.Admitted, "the hold to end");
        TimeProvider.System.GetElapsedTime(asked).ShouldBeGreaterThan(reply.RetryAfter - TimeLimit.TimerTick);
        (await next.Store.FindAsync(EtcdGateway.Key("a"), default))!.Value.Writers.Select(w => w.Session).ShouldBe(
            [next.Session]);
    }

    [Fact]
    public async Task EnterAsync_EndedSessionAndNoHold_IsAdmittedAtOnce()
    {
        await using var dead = await StartAsync();
        await using var next = await StartAsync();
        await dead.EnterAsync("a", 5);
        await dead.Store.EndSessionAsync(dead.Session, isClean: false, default);
        (await next.EnterAsync("a", 6, hold: TimeSpan.Zero)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task EndSessionAsync_Quiet_LetsItsRegistrationsGoAndWakesWhoWaits()
    {
        await using var old = await StartAsync();
        await using var next = await StartAsync();
        await old.EnterAsync("a", 5);
        (await next.EnterAsync("a", 6)).Status.ShouldBe(EnterStatus.Draining);
        await old.Store.EndSessionAsync(old.Session, isClean: true, default);
        await next.HearAsync("a");
        (await next.EnterAsync("a", 6)).Status.ShouldBe(EnterStatus.Admitted);
        await old.Store.EndSessionAsync(old.Session, isClean: true, default);
        (await old.BeatAsync()).Alive.ShouldBeFalse();
    }

    [Fact]
    public async Task WithdrawAsync_FullBatch_TakesAllOfThemAndTheLatestOnly()
    {
        await using var old = await StartAsync();
        await using var next = await StartAsync();
        var names = Enumerable.Range(0, Registration.MaxBatch).Select(i => $"r/{i}").ToArray();
        await Task.WhenAll(names.Chunk(8).Select(async some =>
        {
            foreach (var name in some)
            {
                await old.EnterAsync(name, 5);
            }
        }));
        await old.WithdrawAsync(names);
        (await next.Store.ListAsync(new MarkQuery("r/", long.MaxValue, 1000), default)).ShouldAllBe(
            r => r.Writers.Count == 0);
        await old.Store.WithdrawAsync(old.Session, [new Registration(EtcdGateway.Key("r/0"), 1)], default);
        await old.EnterAsync("r/0", 5);
        await old.Store.WithdrawAsync(old.Session, [new Registration(EtcdGateway.Key("r/0"), 1)], default);
        (await next.Store.FindAsync(EtcdGateway.Key("r/0"), default))!.Value.Writers.Count.ShouldBe(1);
    }

    [Fact]
    public async Task EnterAsync_ManyGatewaysAtOnce_AnswerAsOneOrder()
    {
        var gateways = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => StartAsync()));
        var replies = await Task.WhenAll(gateways.Select((gateway, n) => Task.Run(async () =>
        {
            // One step at a time for each gateway and resource, as the fence table has it.
            List<(int Token, EnterReply Reply)> own = [];
            for (var token = 1 + n; token <= 100; token += gateways.Length)
            {
                own.Add((token, await gateway.EnterAsync("a", token)));
            }

            return own;
        })));
        foreach (var (token, reply) in replies.SelectMany(own => own))
        {
            (reply.Status == EnterStatus.Stale).ShouldBe(reply.Mark.Value > token, $"{token} {reply}");
        }

        (await gateways[0].Store.FindAsync(EtcdGateway.Key("a"), default))!.Value.Mark.ShouldBe(100);
        foreach (var gateway in gateways)
        {
            await gateway.DisposeAsync();
        }
    }

    [Fact]
    public async Task SetMarkAsync_HeldByAnother_IsRefusedAndRecordsWhoAndWhyOtherwise()
    {
        await using var other = await StartAsync();
        await using var asking = await StartAsync();
        await other.EnterAsync("a", 5);
        var request = new SetMarkRequest(
            asking.Session, EtcdGateway.Key("a"), 3, TimeSpan.FromSeconds(10), "tokens restarted", "ann");
        (await asking.Store.SetMarkAsync(request, default)).ShouldBeFalse();
        await other.WithdrawAsync("a");
        (await asking.Store.SetMarkAsync(request, default)).ShouldBeTrue();
        (await other.EnterAsync("a", 3)).Status.ShouldBe(EnterStatus.Admitted);
        var stored = await etcd.Server.PostAsync("/v3/kv/range", $$"""{"key":"{{KeyOf("operator/a")}}"}""");
        var value = JsonDocument.Parse(stored).RootElement.GetProperty("kvs")[0].GetProperty("value")
            .GetBytesFromBase64();
        Encoding.UTF8.GetString(value).ShouldContain("tokens restarted");
    }

    [Fact]
    public async Task ResolveAsync_EndedSession_TakesItsRegistrationOnly()
    {
        await using var dead = await StartAsync();
        await using var living = await StartAsync();
        await using var next = await StartAsync();
        await dead.EnterAsync("a", 5);
        await living.EnterAsync("a", 5);
        await dead.Store.EndSessionAsync(dead.Session, isClean: false, default);
        (await next.Store.ResolveAsync(EtcdGateway.Key("a"), default)).ShouldBe(1);
        (await next.EnterAsync("a", 6)).HeldElsewhere.ShouldBeTrue();
        await living.WithdrawAsync("a");
        (await next.EnterAsync("a", 6)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task FindAsync_KeyThatNoGatewayWrote_FailsClosed()
    {
        await using var gateway = await StartAsync();
        await etcd.Server.PostAsync("/v3/kv/put", $$"""{"key":"{{KeyOf("mark/a")}}","value":"AAAA"}""");
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(() => gateway.EnterAsync("a", 5));
        refused.Message.ShouldContain("no gateway wrote");
    }

    [Fact]
    public async Task EnterAsync_SessionRegisteredTwice_FailsClosed()
    {
        await using var gateway = await StartAsync();
        var writers = """[{"session":"s","token":"5","sequence":"1"},{"session":"s","token":"6","sequence":"2"}]"""u8.ToArray();
        await etcd.Server.PostAsync(
            "/v3/kv/put", $$"""{"key":"{{KeyOf("writers/a")}}","value":"{{Convert.ToBase64String(writers)}}"}""");
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(() => gateway.EnterAsync("a", 7));
        refused.Message.ShouldContain("no gateway wrote");
    }

    private string KeyOf(string name) => Convert.ToBase64String(Encoding.UTF8.GetBytes($"{_prefix}/{name}"));

    private Task<EtcdGateway> StartAsync(TimeSpan? timeToLive = null) =>
        EtcdGateway.StartAsync(_prefix, timeToLive, etcd.Server.Address);

    private static Task UntilEndedAsync(EtcdGateway asking, string resource) => Eventually.IsSoAsync(
        async () =>
            !(await asking.Store.FindAsync(EtcdGateway.Key(resource), default))!.Value.Writers.All(
                w => w.EndedFor is null),
        "the session to end");
}
