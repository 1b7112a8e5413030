using FenceGateway.Fencing;

namespace FenceGateway.TokenStore.Tests.Etcd;

/// <summary>
/// An Enter that is held back by a session which turns out to be gone takes two transactions, and something happens in
/// between. Whoever asked takes "stale", and "draining" with nothing older of its own, for "nothing is registered".
/// </summary>
public sealed class EtcdPartsOfAStepTests(EtcdFixture etcd) : IClassFixture<EtcdFixture>
{
    private readonly string _prefix = EtcdFixture.NewPrefix();

    [Fact]
    public async Task EnterAsync_RegisteredAndSealedByAnotherThen_IsNotStale()
    {
        await using var forwarder = await EtcdForwarder.StartAsync(etcd.Server.Address);
        await using var asking = await StartAsync(forwarder.Address);
        await using var other = await StartAsync();
        await LeaveAsync("a", 5, asking, knownAs: 6);
        Between(forwarder, () => other.EnterAsync("a", 8));

        var reply = await asking.EnterAsync("a", 7, oldest: 6, hold: TimeSpan.Zero);

        (reply.Status, reply.Mark.Value).ShouldBe((EnterStatus.Draining, 7));
        (await WritersAsync(other)).ShouldContain(asking.Session, "it is registered at 6, and was not told otherwise");
    }

    [Fact]
    public async Task EnterAsync_AdmittedBesideOneThatIsGone_TakesOneTransaction()
    {
        await using var forwarder = await EtcdForwarder.StartAsync(etcd.Server.Address);
        await using var asking = await StartAsync(forwarder.Address);
        await LeaveAsync("a", 7, asking, knownAs: 7);
        await asking.WithdrawAsync("a");
        var before = asking.Store.RoundTrips;

        (await asking.EnterAsync("a", 7, hold: TimeSpan.Zero)).Status.ShouldBe(EnterStatus.Admitted);

        (asking.Store.RoundTrips - before).ShouldBe(
            1, "a second one could only lose a race, and what was admitted with it");
    }

    [Fact]
    public async Task EnterAsync_AnswerToTheSecondPartLost_MayHaveRegistered()
    {
        await using var forwarder = await EtcdForwarder.StartAsync(etcd.Server.Address);
        await using var asking = await StartAsync(forwarder.Address);
        await using var looking = await StartAsync();
        await LeaveAsync("a", 5, asking, knownAs: 6);
        var transactions = 0;
        forwarder.LosesAnswer = () => ++transactions == 2;

        var lost = await Should.ThrowAsync<TokenStoreUnavailableException>(
            () => asking.EnterAsync("a", 6, hold: TimeSpan.Zero));

        lost.NotTaken.ShouldBeFalse();
        (await WritersAsync(looking)).ShouldContain(asking.Session);
    }

    /// <summary>
    /// A gateway that is gone is registered, and <paramref name="asking"/> takes it for alive, having heard of it with
    /// another token.
    /// </summary>
    private async Task LeaveAsync(string resource, long token, EtcdGateway asking, long knownAs)
    {
        await using var gone = await StartAsync();
        await gone.EnterAsync(resource, token);
        await asking.EnterAsync(resource, knownAs);
        await gone.Store.EndSessionAsync(gone.Session, isClean: false, default);
    }

    private static void Between(EtcdForwarder forwarder, Func<Task> happens)
    {
        var transactions = 0;
        forwarder.BeforeTransaction = () => ++transactions == 2 ? happens() : Task.CompletedTask;
    }

    private static async Task<IEnumerable<string>> WritersAsync(EtcdGateway gateway) =>
        (await gateway.Store.FindAsync(EtcdGateway.Key("a"), default))!.Value.Writers.Select(w => w.Session);

    private Task<EtcdGateway> StartAsync(string? address = null) =>
        EtcdGateway.StartAsync(_prefix, null, address ?? etcd.Server.Address);
}
