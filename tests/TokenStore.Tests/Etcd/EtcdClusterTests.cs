using FenceGateway.Fencing;
using FenceGateway.TestKit;

namespace FenceGateway.TokenStore.Tests.Etcd;

/// <summary>Three members, and gateways that know all of them, or one.</summary>
[Collection(OneAtATime.Ensembles)]
public sealed class EtcdClusterTests : IAsyncLifetime
{
    private readonly string _prefix = EtcdFixture.NewPrefix();
    private readonly List<EtcdGateway> _gateways = [];
    private EtcdCluster? _cluster;

    private EtcdCluster Cluster => _cluster ?? throw new InvalidOperationException("Not started.");

    public async ValueTask InitializeAsync() => _cluster = await EtcdCluster.StartAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var gateway in _gateways)
        {
            await gateway.DisposeAsync();
        }

        await Cluster.DisposeAsync();
    }

    [Fact]
    public async Task EnterAsync_GatewaysOnDifferentMembers_SeeEachOthersWritersAtOnce()
    {
        List<EtcdGateway> gateways = [];
        foreach (var address in Cluster.Addresses)
        {
            gateways.Add(await StartAsync(address));
        }

        for (var round = 0; round < 20; round++)
        {
            var (older, newer) = (gateways[round % 3], gateways[(round + 1) % 3]);
            var token = 10 * round + 1;
            (await older.EnterAsync("a", token)).Status.ShouldBe(EnterStatus.Admitted);
            (await newer.EnterAsync("a", token + 1)).ShouldBe(
                new EnterReply(EnterStatus.Draining, new FencingToken(token + 1), HeldElsewhere: true),
                "a member that is behind must not matter");
            (await older.EnterAsync("a", token)).Status.ShouldBe(EnterStatus.Stale);
            await older.WithdrawAsync("a");
            (await newer.EnterAsync("a", token + 1)).Status.ShouldBe(EnterStatus.Admitted);
            await newer.WithdrawAsync("a");
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Leader_KilledOrPaused_SessionsMarksAndTheWatchGoOnElsewhere(bool paused)
    {
        var leader = await Cluster.LeaderAsync();
        string[] leaderFirst = [leader.Address, .. Cluster.Addresses.Where(a => a != leader.Address)];
        var (one, two) = (await StartAsync(leaderFirst), await StartAsync(leaderFirst));
        await one.EnterAsync("a", 5);

        if (paused)
        {
            leader.Pause();
        }
        else
        {
            await leader.KillAsync();
        }

        (await EtcdGateway.EventuallyAsync(t => two.EnterAsync("a", 6, cancellationToken: t))).ShouldBe(
            new EnterReply(EnterStatus.Draining, new FencingToken(6), HeldElsewhere: true));
        (await EtcdGateway.EventuallyAsync(t => one.Store.HeartbeatAsync(one.Session, t).AsTask())).Alive
            .ShouldBeTrue();
        (await one.HearAsync("a")).Mark.ShouldBe(6);
        (await EtcdGateway.EventuallyAsync(t => one.EnterAsync("a", 5, cancellationToken: t))).Status.ShouldBe(
            EnterStatus.Stale);
        leader.Continue();
    }

    [Fact]
    public async Task Member_CutOffFromTheOthers_AdmitsNothingAndTellsNothingOld()
    {
        var gateway = await StartAsync(Cluster.Addresses[0]);
        await gateway.EnterAsync("a", 5);
        Cluster.Members[1].Pause();
        Cluster.Members[2].Pause();
        await Eventually.IsSoAsync(
            async () =>
                (await RefusedAsync(t => gateway.EnterAsync("a", 6, cancellationToken: t))).Message.Contains(
                    "no leader", StringComparison.Ordinal),
            "it says at once that it is alone");

        await RefusedAsync(t => gateway.EnterAsync("a", 4, cancellationToken: t));
        await RefusedAsync(t => gateway.Store.FindAsync(EtcdGateway.Key("a"), t).AsTask());
        await RefusedAsync(t => gateway.Store.HeartbeatAsync(gateway.Session, t).AsTask());

        Cluster.Members[1].Continue();
        Cluster.Members[2].Continue();
        (await EtcdGateway.EventuallyAsync(t => gateway.EnterAsync("a", 7, cancellationToken: t))).Status.ShouldBe(
            EnterStatus.Admitted);
    }

    [Fact]
    public async Task Members_StoppedAndStartedInTurn_NoMarkGoesBackAndTheWatchGoesOn()
    {
        var (one, two) = (await StartAsync([.. Cluster.Addresses]), await StartAsync([.. Cluster.Addresses]));
        using var end = new CancellationTokenSource();
        var last = 0;
        var writing = Task.Run(async () =>
        {
            while (!end.IsCancellationRequested)
            {
                var token = last + 1;
                (await EtcdGateway.EventuallyAsync(t => one.EnterAsync("a", token, cancellationToken: t))).Status
                    .ShouldBe(EnterStatus.Admitted);
                Volatile.Write(ref last, token);
            }
        });

        await Eventually.IsSoAsync(() => Volatile.Read(ref last) > 1, "there is an older token");
        foreach (var member in Cluster.Members)
        {
            await member.StopAsync();
            var stale = Volatile.Read(ref last) - 1;
            (await EtcdGateway.EventuallyAsync(t => two.EnterAsync("a", stale, cancellationToken: t)))
                .Status.ShouldNotBe(EnterStatus.Admitted);
            await member.RestartAsync();
        }

        await end.CancelAsync();
        await writing;
        (await EtcdGateway.EventuallyAsync(t => two.EnterAsync("a", last + 1, cancellationToken: t))).Status.ShouldBe(
            EnterStatus.Draining);
        (await one.HearAsync("a")).Mark.ShouldBe(last + 1);
    }

    private static async Task<TokenStoreUnavailableException> RefusedAsync<T>(Func<CancellationToken, Task<T>> call)
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(2), TimeProvider.System);
        return await Should.ThrowAsync<TokenStoreUnavailableException>(() => call(bound.Token));
    }

    private async Task<EtcdGateway> StartAsync(params string[] addresses)
    {
        var gateway = await EtcdGateway.StartAsync(_prefix, null, addresses);
        _gateways.Add(gateway);
        return gateway;
    }
}
