using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Quorum;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.TokenStore.Tests.Quorum;

/// <summary>Who may, over which connection, and at what.</summary>
public sealed class QuorumAccessTests
{
    /// <summary>All that a gateway needs; docs/stores.md holds the same.</summary>
    private const string Rights =
        "resetkeys ~{fg}:* resetchannels &{fg}:q:changed:* -@all +@connection +evalsha +eval +subscribe +publish +info "
        + "+config|get +acl|dryrun +time +get +set +del +pexpire +hget +hmget +hgetall +hset +hsetnx +hdel +hexists "
        + "+zadd +zrem +zcard +zscan +zrangebyscore +zrevrangebyscore "
        + "+zrangebylex +zremrangebylex +lpush +ltrim";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AllSteps_AsANamedUserWithTheDocumentedRights_Work(bool encrypted)
    {
        using var certificates = new TestCertificates();
        var servers = await Task
            .WhenAll(Enumerable.Range(0, 3).Select(_ => RedisServer.StartAsync(new RedisServerOptions
            {
                Users = [$"user fence on >secret {Rights}", "user default off ~* &* +@all"],
                Certificates = encrypted ? certificates : null,
            })));
        try
        {
            await using var store = Make(servers, certificates);
            await using var other = Make(servers, certificates);
            var (a, b) = (new ConformanceGateway(store), new ConformanceGateway(other));
            foreach (var gateway in new[] { a, b })
            {
                await gateway.Store.OpenAsync(default);
                await gateway.StartSessionAsync();
            }

            (await a.EnterAsync("r", 5)).Status.ShouldBe(EnterStatus.Admitted);
            (await b.EnterAsync("r", 6)).HeldElsewhere.ShouldBeTrue();
            await a.ChangedAsync("r");
            (await a.HeartbeatAsync()).Revoked.ShouldHaveSingleItem().Mark.ShouldBe(6);
            await a.WithdrawAsync("r");
            (await b.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Admitted);
            (await store.ListAsync(new MarkQuery("", long.MaxValue, 10), default)).ShouldHaveSingleItem();
            (await store.CountAsync(default)).ShouldBe(1);
            store.Info.Grade.ShouldBe(SafetyGrade.Strict, string.Join(' ', store.Info.GradeReasons));
        }
        finally
        {
            foreach (var server in servers)
            {
                await server.DisposeAsync();
            }
        }
    }

    [Fact]
    public async Task OpenAsync_OfANodeThatSentinelsReplace_IsRefused()
    {
        await using var store = new QuorumTokenStore(
            new QuorumTokenStoreOptions { Nodes = ["a:1", "b:1,c:1,serviceName=x", "d:1"] }, TimeProvider.System, NullLogger<QuorumTokenStore>.Instance);

        var e = await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await store.OpenAsync(default));

        (e.NotTaken, e.Message)
            .ShouldBe((true, "x of the Sentinels b:1,c:1: each node of a quorum is one master of its own. "
            + "One that Sentinels replace may lack what the node has promised."));
    }

    private static QuorumTokenStore Make(IEnumerable<RedisServer> servers, TestCertificates certificates) => new(
        new QuorumTokenStoreOptions
        {
            Nodes = [.. servers.Select(server => server.Configuration + ",user=fence,password=secret")],
            CertificateAuthority = certificates.AuthorityFile,
        },
        TimeProvider.System, NullLogger<QuorumTokenStore>.Instance);
}
