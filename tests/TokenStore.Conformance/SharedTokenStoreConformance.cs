using FenceGateway.Fencing;
using FenceGateway.TestKit;

namespace FenceGateway.TokenStore.Conformance;

/// <summary>
/// What every store that several gateways can share does in addition: sessions, registrations, revocation.
/// </summary>
/// <typeparam name="TStore">The store under test.</typeparam>
public abstract partial class SharedTokenStoreConformance<TStore> : TokenStoreConformance<TStore>
    where TStore : class, ITokenStore
{
    private static readonly TimeSpan ShortLife = TimeSpan.FromSeconds(1.5);

    /// <summary>
    /// Makes the store stop to keep its latest session alive, as if its process had died, if it does so by itself. For
    /// most stores a session lives by <see cref="ITokenStore.HeartbeatAsync"/> alone, and there is nothing to do.
    /// </summary>
    protected virtual ValueTask AbandonAsync(TStore store) => ValueTask.CompletedTask;

    [Fact]
    public async Task EnterAsync_OlderWriterElsewhere_SealsAndDrainsUntilItsWithdrawal()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5);
        (await b.EnterAsync("r", 6)).ShouldBe(Draining(6, elsewhere: true));
        (await a.EnterAsync("r", 5)).ShouldBe(Stale(6));
        (await b.EnterAsync("r", 6)).ShouldBe(Draining(6, elsewhere: true));
        await a.WithdrawAsync("r");
        (await b.EnterAsync("r", 6)).ShouldBe(Admitted(6));
        await ExpectWritersAsync(a, "r", (b, 6));
    }

    [Fact]
    public async Task EnterAsync_SameTokenElsewhere_IsAdmittedThereToo()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5);
        (await b.EnterAsync("r", 5)).ShouldBe(Admitted(5));
        await ExpectWritersAsync(b, "r", (a, 5), (b, 5));
        (await a.EnterAsync("r", 6)).ShouldBe(Draining(6, elsewhere: true));
    }

    [Fact]
    public async Task EnterAsync_OlderWriteOfItsOwn_StaysRegisteredAtTheOldest()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5);
        (await a.EnterAsync("r", 7, oldest: 5)).ShouldBe(Draining(7));
        await ExpectWritersAsync(a, "r", (a, 5));
        (await b.EnterAsync("r", 7)).ShouldBe(Draining(7, elsewhere: true));
        (await a.EnterAsync("r", 7, oldest: 6)).ShouldBe(Draining(7));
        await ExpectWritersAsync(a, "r", (a, 6));
        (await b.EnterAsync("r", 7)).ShouldBe(Draining(7, elsewhere: true));
        (await a.EnterAsync("r", 7)).ShouldBe(Admitted(7));
        (await b.EnterAsync("r", 7)).ShouldBe(Admitted(7));
    }

    [Fact]
    public async Task EnterAsync_OlderWriteFromBeforeTheSession_IsRegisteredThereWithoutARegistrationBefore()
    {
        var (a, b) = await OpenTwoAsync();
        (await a.EnterAsync("r", 6, oldest: 4)).ShouldBe(Draining(6));
        await ExpectWritersAsync(a, "r", (a, 4));
        (await b.EnterAsync("r", 6)).ShouldBe(Draining(6, elsewhere: true));
        await a.WithdrawAsync("r");
        (await b.EnterAsync("r", 6)).ShouldBe(Admitted(6));
    }

    [Fact]
    public async Task EnterAsync_BothHaveOlderWrites_EachSeesTheOthers()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5);
        await b.EnterAsync("r", 5);
        (await a.EnterAsync("r", 6, oldest: 5)).ShouldBe(Draining(6, elsewhere: true));
        (await b.EnterAsync("r", 6)).ShouldBe(Draining(6, elsewhere: true));
        (await a.EnterAsync("r", 6)).ShouldBe(Admitted(6));
        (await b.EnterAsync("r", 6)).ShouldBe(Admitted(6));
    }

    [Fact]
    public async Task EnterAsync_DrainingWithNothingOfItsOwn_LeavesNoRegistration()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5);
        await b.EnterAsync("r", 5);
        (await b.EnterAsync("r", 6)).ShouldBe(Draining(6, elsewhere: true));
        await ExpectWritersAsync(b, "r", (a, 5));
        (await a.EnterAsync("r", 7)).ShouldBe(Admitted(7));
    }

    [Fact]
    public async Task EnterAsync_DrainingAgainAtItsOwnToken_KeepsTheRegistration()
    {
        // Nothing older in flight is not nothing in flight: a may still write with 5.
        var (a, b) = await OpenTwoAsync();
        (await a.EnterAsync("r", 5, sequence: 10)).ShouldBe(Admitted(5));
        (await b.EnterAsync("r", 5, oldest: 4)).ShouldBe(Draining(5));
        (await a.EnterAsync("r", 5, sequence: 12)).ShouldBe(Draining(5, elsewhere: true));
        await ExpectWritersAsync(a, "r", (a, 5), (b, 4));
        await a.WithdrawAsync("r", sequence: 11);
        (await b.EnterAsync("r", 6)).ShouldBe(
            Draining(6, elsewhere: true), "the registration is as new as the last step");
        await a.WithdrawAsync("r", sequence: 12);
        (await b.EnterAsync("r", 6)).ShouldBe(Admitted(6));
    }

    [Fact]
    public async Task EnterAsync_Overtaken_ChangesNothingAndPromisesNothing()
    {
        var (a, b) = await OpenTwoAsync();
        (await a.EnterAsync("r", 7, sequence: 10)).ShouldBe(Admitted(7));
        (await a.EnterAsync("r", 8, sequence: 9)).ShouldBe(new EnterReply(
            EnterStatus.Draining, new FencingToken(await a.MarkAsync("r")), HeldElsewhere: true));
        (await a.MarkAsync("r")).ShouldBe(7);
        (await a.EnterAsync("r", 7, sequence: 9)).Status.ShouldBe(EnterStatus.Draining);
        (await a.EnterAsync("r", 7, oldest: 3, sequence: 9)).Status.ShouldBe(EnterStatus.Draining);
        (await a.EnterAsync("r", 6, sequence: 9)).ShouldBe(Stale(7));
        await ExpectWritersAsync(a, "r", (a, 7));
        (await b.EnterAsync("r", 8)).ShouldBe(Draining(8, elsewhere: true));
        (await a.EnterAsync("r", 9, sequence: 9)).Status.ShouldBe(EnterStatus.Draining);
        (await b.EnterAsync("r", 8)).ShouldBe(
            Draining(8, elsewhere: true), "the late step has not moved the registration");
    }

    [Fact]
    public async Task EnterAsync_CarriedOutTwice_IsAsOnce()
    {
        var (a, b) = await OpenTwoAsync();
        (await a.EnterAsync("r", 7, sequence: 10)).ShouldBe(Admitted(7));
        (await a.EnterAsync("r", 7, sequence: 10)).ShouldBe(Admitted(7));
        await a.WithdrawAsync("r", sequence: 10);
        (await b.EnterAsync("r", 8)).ShouldBe(Admitted(8));
    }

    [Fact]
    public async Task EnterAsync_ManySequencesAndGreatOnes_AreCompared()
    {
        var (a, _) = await OpenTwoAsync();
        (await a.EnterAsync("r", 7, sequence: 9)).ShouldBe(Admitted(7));
        (await a.EnterAsync("r", 7, sequence: 10)).ShouldBe(Admitted(7));
        (await a.EnterAsync("r", 7, sequence: 100_000_000_000)).ShouldBe(Admitted(7));
        (await a.EnterAsync("r", 7, sequence: 99_999_999_999)).Status.ShouldBe(EnterStatus.Draining);
    }

    [Fact]
    public async Task WithdrawAsync_OvertakenByANewerStep_LeavesItsRegistration()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5, sequence: 9);
        await a.EnterAsync("r", 5, sequence: 10);
        await a.WithdrawAsync("r", sequence: 9);
        await ExpectWritersAsync(a, "r", (a, 5));
        (await b.EnterAsync("r", 6)).ShouldBe(Draining(6, elsewhere: true));
        await a.WithdrawAsync("r", sequence: 10);
        (await b.EnterAsync("r", 6)).ShouldBe(Admitted(6));
    }

    [Fact]
    public async Task WithdrawAsync_LaterSequenceThanTheRegistration_TakesIt()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5, sequence: 9);
        await a.WithdrawAsync("r", sequence: 12);
        (await b.EnterAsync("r", 6)).ShouldBe(Admitted(6));
    }

    [Fact]
    public async Task WithdrawAsync_FullBatch_TakesEachOfThemAndNoOther()
    {
        var (a, b) = await OpenTwoAsync();
        var keys = Enumerable.Range(0, Registration.MaxBatch).Select(i => $"r/{i}").ToArray();
        await Parallel.ForEachAsync(keys[..^6], Bounded, async (key, _) => await a.EnterAsync(key, 5));
        await a.EnterAsync("other", 5);
        await b.EnterAsync(keys[0], 5);
        await a.Store.WithdrawAsync(
            a.Session, [.. keys.Select(key => new Registration(ConformanceGateway.Key(key), a.Sequence))], default);
        await ExpectWritersAsync(a, keys[0], (b, 5));
        await ExpectWritersAsync(a, keys[100]);
        await ExpectWritersAsync(a, keys[249]);
        (await a.FindAsync(keys[255])).ShouldBeNull("a withdrawal makes nothing");
        await ExpectWritersAsync(a, "other", (a, 5));
    }

    [Fact]
    public async Task HeartbeatAsync_SealedByAnother_TellsWhereUntilItIsWithdrawn()
    {
        var (a, b) = await OpenTwoAsync();
        foreach (var key in (string[])["r", "s", "t"])
        {
            await a.EnterAsync(key, 5);
        }

        (await a.HeartbeatAsync()).Revoked.ShouldBeEmpty();
        await b.EnterAsync("r", 6);
        await b.EnterAsync("t", 5);
        await b.EnterAsync("s", 9);
        foreach (var _ in (int[])[1, 2])
        {
            var heartbeat = await a.HeartbeatAsync();
            heartbeat.Alive.ShouldBeTrue();
            heartbeat.Revoked.Select(r => r.Resource.Value).Order().ShouldBe(
                ["r", "s"], ignoreOrder: false, "it was not withdrawn: it is told again");
            heartbeat.Revoked.ShouldAllBe(r => r.Mark == 0 || r.Mark == (r.Resource.Value == "r" ? 6 : 9));
        }

        (await b.HeartbeatAsync()).Revoked.ShouldBeEmpty();
        await a.WithdrawAsync("r");
        (await a.EnterAsync("s", 9)).ShouldBe(Admitted(9));
        (await a.HeartbeatAsync()).Revoked.ShouldBeEmpty();
    }

    [Fact]
    public async Task HeartbeatAsync_RegisteredBelowTheMarkByItself_TellsWhere()
    {
        // A step that is carried out after its gateway gave up on it: nobody else's seal would ever reveal it.
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 6, oldest: 4);
        (await a.HeartbeatAsync()).Revoked.Select(r => r.Resource.Value).ShouldBe(["r"]);
        (await b.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Draining);
        (await a.HeartbeatAsync()).Revoked.Select(r => r.Resource.Value).ShouldBe(["r"]);
    }

    [Fact]
    public async Task HeartbeatAsync_MoreRevokedThanFit_TellsTheRestLater()
    {
        var (a, b) = await OpenTwoAsync();
        var keys = Enumerable.Range(0, Heartbeat.MaxRevoked + 5).Select(i => $"r/{i}").ToArray();
        await Parallel.ForEachAsync(keys, Bounded, async (key, _) => await a.EnterAsync(key, 5));
        await Parallel.ForEachAsync(keys, Bounded, async (key, _) => await b.EnterAsync(key, 6));
        var told = new HashSet<string>(StringComparer.Ordinal);
        while (told.Count < keys.Length)
        {
            var revoked = (await a.HeartbeatAsync()).Revoked;
            revoked.Count.ShouldBeInRange(1, Heartbeat.MaxRevoked);
            told.UnionWith(revoked.Select(r => r.Resource.Value));
            foreach (var batch in revoked.Chunk(Registration.MaxBatch))
            {
                await a.Store.WithdrawAsync(
                    a.Session, [.. batch.Select(r => new Registration(r.Resource, a.Sequence))], default);
            }
        }

        told.ShouldBe(keys, ignoreOrder: true);
        (await a.HeartbeatAsync()).Revoked.ShouldBeEmpty();
    }

    [Fact]
    public async Task Changed_MarkRaisedOverALivingWriter_IsToldThere()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5);
        await b.EnterAsync("r", 6);
        await a.ChangedAsync("r");
    }

    [Fact]
    public async Task Changed_WriterBelowTheMarkWithdraws_IsToldWhereSomebodyWaits()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 6, oldest: 5);
        (await b.EnterAsync("r", 6)).ShouldBe(Draining(6, elsewhere: true));
        await a.WithdrawAsync("r");
        await b.ChangedAsync("r");
    }

    [Fact]
    public async Task Changed_WriterBelowTheMarkMovesUp_IsToldWhereSomebodyWaits()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 6, oldest: 5);
        (await b.EnterAsync("r", 6)).ShouldBe(Draining(6, elsewhere: true));
        (await a.EnterAsync("r", 6)).ShouldBe(Admitted(6));
        await b.ChangedAsync("r");
    }

    [Fact]
    public async Task Changed_OperatorResolves_IsToldWhereSomebodyWaits()
    {
        var (a, b) = await OpenTwoAsync();
        var c = await OpenAsync();
        await a.EnterAsync("r", 6, oldest: 5);
        await a.EndSessionAsync(isClean: false);
        (await b.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Draining);
        (await c.ResolveAsync("r")).ShouldBe(1);
        await b.ChangedAsync("r");
        (await b.EnterAsync("r", 6)).ShouldBe(Admitted(6));
    }

    [Fact]
    public async Task Operations_BeforeOpenAndAfterDispose_AreAllRefused()
    {
        var (a, _) = await OpenTwoAsync();
        await a.EnterAsync("r", 5);
        await a.Store.DisposeAsync();
        var never = new ConformanceGateway(CreateStore());
        foreach (var gateway in (ConformanceGateway[])[a, never])
        {
            await ExpectRefusesAsync(gateway);
            Func<Task>[] calls =
            [
                () => gateway.Store.WithdrawAsync("s", [new Registration(ConformanceGateway.Key("r"), 1)], default)
                    .AsTask(),
                () => gateway.Store.HeartbeatAsync("s", default).AsTask(),
                () => gateway.Store.EndSessionAsync("s", isClean: false, default).AsTask(),
                () => gateway.FindAsync("r"),
                () => gateway.Store.ListAsync(new MarkQuery("", long.MaxValue, 10), default).AsTask(),
                () => gateway.Store.CountAsync(default).AsTask(),
                () => gateway.ResolveAsync("r"),
            ];
            foreach (var call in calls)
            {
                await Should.ThrowAsync<TokenStoreUnavailableException>(call);
            }
        }

        await never.Store.DisposeAsync();
    }

    [Fact]
    public async Task OpenAsync_AfterAGatewayThatNeverEndedItsSession_StillHoldsForIt()
    {
        var (a, b) = await OpenTwoAsync();
        await a.EnterAsync("r", 5);
        await a.Store.DisposeAsync();
        (await b.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Draining);
        var later = await OpenAsync();
        (await later.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Draining);
        (await later.EnterAsync("r", 5)).ShouldBe(Stale(6));
    }

    [Fact]
    public async Task Operations_OfSeveralGatewaysAtOnce_NeverLetDifferentTokensOverlap() =>
        await new RandomSeed().RunAsync(async random =>
        {
            ConformanceGateway[] gateways = [Gateway, await OpenAsync(), await OpenAsync()];
            var resources = Enumerable.Range(0, 2).Select(_ => new FencedResource()).ToArray();
            await Task.WhenAll(
                from gateway in gateways
                from index in Enumerable.Range(0, resources.Length)
                let seed = random.Next()
                select Task.Run(
                    () => resources[index].HammerAsync(gateway, $"r/{index}", new Random(seed), RandomSteps / 8)));
            foreach (var resource in resources)
            {
                resource.Admissions.ShouldBeGreaterThan(0);
            }
        });

    [Fact]
    public async Task Operations_RandomSequencesOfSeveralSessions_EqualThePureStateMachine() =>
        await new RandomSeed().RunAsync(async random =>
        {
            var walk = new RandomWalk([Gateway, await OpenAsync(), await OpenAsync()], random, SettleAsync);
            for (var i = 0; i < RandomSteps; i++)
            {
                await walk.StepAsync(oneSession: false);
            }

            await walk.ExpectListingAsync();
        });

    private static ParallelOptions Bounded => new() { MaxDegreeOfParallelism = 32 };

    private static async Task ExpectWritersAsync(
        ConformanceGateway asked, string key, params (ConformanceGateway Gateway, long Token)[] writers) =>
        (await asked.FindAsync(key))!.Value.Writers.Select(w => (w.Session, w.Token.Value))
            .ShouldBe(writers.Select(w => (w.Gateway.Session, w.Token)), ignoreOrder: true);

    private async Task<(ConformanceGateway A, ConformanceGateway B)> OpenTwoAsync() => (Gateway, await OpenAsync());
}
