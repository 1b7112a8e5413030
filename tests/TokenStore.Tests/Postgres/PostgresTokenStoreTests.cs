using System.Text;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Postgres;
using FenceGateway.TokenStore.Tests.Sql;
using Npgsql;

namespace FenceGateway.TokenStore.Tests.Postgres;

public sealed class PostgresTokenStoreTests(PostgresFixture fixture) : SqlStoreTests, IClassFixture<PostgresFixture>
{
    private readonly TestLogger<PostgresTokenStore> _logger = new();

    [Fact]
    public async Task HeartbeatAsync_WhileAStepOfTheSessionIsTaken_DoesNotWait()
    {
        await using var store = CreateStore();
        var gateway = await store.StartGatewayAsync();
        await gateway.EnterAsync("r", 5);
        await using var locked = await LockAsync($"""SELECT 1 FROM "{Prefix}_sessions" FOR KEY SHARE""");
        (await gateway.HeartbeatAsync().WithinLimit("a heartbeat")).Alive.ShouldBeTrue();
    }

    [Fact]
    public async Task EnterAsync_ConnectionEndedByAnAdministrator_LeavesTheOutcomeOpenAndAnErrorDoesNot()
    {
        await using var store = CreateStore();
        var gateway = await store.StartGatewayAsync();
        await gateway.EnterAsync("r", 5);
        await using (await LockResourceAsync("r"))
        {
            var step = gateway.EnterAsync("r", 6);
            await EventuallyWaitingAsync(1);
            await fixture.Server.QueryAsync(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> "
                    + "pg_backend_pid()");
            (await Should.ThrowAsync<TokenStoreUnavailableException>(() => step)).NotTaken.ShouldBeFalse();

            step = gateway.EnterAsync("r", 6);
            await EventuallyWaitingAsync(1);
            await fixture.Server.QueryAsync(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> "
                    + "pg_backend_pid()");
            (await Should.ThrowAsync<TokenStoreUnavailableException>(() => step)).NotTaken.ShouldBeTrue();
        }
    }

    [Fact]
    public async Task EnterAsync_WaitForTheReplicaIsBrokenOff_IsNotTakenForDurable()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var store = PostgresFixture.CreateStore(server.ConnectionString(), "fg");
        var gateway = await store.StartGatewayAsync();
        await LoseReplicaAsync(server);
        var step = gateway.EnterAsync("r", 5);
        await EventuallyAsync(
            async () =>
                await server.QueryAsync("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "1");
        step.IsCompleted.ShouldBeFalse();
        await server.QueryAsync("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        var failure = await Should.ThrowAsync<TokenStoreUnavailableException>(() => step);
        failure.NotTaken.ShouldBeFalse();
        failure.Message.ShouldContain("synchronous replication");
    }

    [Fact]
    public async Task OpenAsync_AgainAndAgainWhileCommitsWaitForAReplica_LeavesNothingBehindAtTheServer()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var store = PostgresFixture.CreateStore(server.ConnectionString(), "fg");
        await store.OpenAsync(default);
        await LoseReplicaAsync(server);
        await LeaveStartsOfSessionsAsync(store);
        await EventuallyAsync(async () => await server.QueryAsync(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fencegateway'") == "0");
    }

    /// <summary>
    /// Stale (5), and draining for a writer with an older token (6): nothing is written, and the mark is told.
    /// </summary>
    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public async Task EnterAsync_MarkThatTheReplicaDoesNotHave_IsNotToldBeforeItDoes(long token)
    {
        await using var server = await PostgresServer.StartAsync();
        await using var store = PostgresFixture.CreateStore(server.ConnectionString(), "fg");
        var gateway = await store.StartGatewayAsync();
        await gateway.EnterAsync("r", 5);
        await using var another = PostgresFixture.CreateStore(server.ConnectionString(), "fg");
        var other = await another.StartGatewayAsync();
        await LoseReplicaAsync(server);
        var step = other.EnterAsync("r", 6);
        await EventuallyAsync(async () => await server.QueryAsync(
            "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "1");
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => step);
        (await gateway.MarkAsync("r")).ShouldBe(6, "it was broken off after its commit");

        step = other.EnterAsync("r", token);
        await EventuallyAsync(
            async () =>
                await server.QueryAsync("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "1");
        step.IsCompleted.ShouldBeFalse();
        await server.QueryAsync("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => step);
    }

    [Fact]
    public async Task Changed_SamePrefixInAnotherSchema_IsNotTold()
    {
        await using var server = await PostgresServer.StartAsync("fsync=off");
        await server.QueryAsync("CREATE SCHEMA other");
        await using var mine = PostgresFixture.CreateStore(server.ConnectionString(), "fg");
        await using var other = PostgresFixture.CreateStore($"{server.ConnectionString()};Search Path=other", "fg");
        var told = System.Threading.Channels.Channel.CreateUnbounded<ResourceChange>();
        foreach (var (store, token) in (IEnumerable<(ITokenStore, long)>)[(other, 100), (mine, 5)])
        {
            var holder = await store.StartGatewayAsync();
            mine.Changed += change => told.Writer.TryWrite(change);
            await holder.EnterAsync("r", token);
            await store.StartSessionAsync("newer", TimeSpan.FromMinutes(1), default);
            await store.EnterAsync(holder.Request("r", token + 1) with { Session = "newer" }, default);
        }

        (await told.Reader.ReadAsync().AsTask().WithinLimit("the own change")).Mark.ShouldBe(6);
    }

    [Fact]
    public async Task Changed_AfterTheListenersConnectionWasLost_IsToldAgain()
    {
        await using var store = CreateStore();
        var first = await store.StartGatewayAsync();
        await using var other = CreateStore();
        var second = await other.StartGatewayAsync();
        await first.EnterAsync("r", 5);
        await fixture.Server.QueryAsync(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
        await EventuallyAsync(() => Task.FromResult(CountLogged(2243) == 2));
        await second.EnterAsync("r", 6);
        await first.ChangedAsync("r");
        CountLogged(2242).ShouldBe(2);
    }

    [Fact]
    public async Task SetMarkAsync_CarriedOutAfterANewStepOfItsOwnSession_ChangesNothing()
    {
        await using var store = CreateStore();
        var gateway = await store.StartGatewayAsync();
        await gateway.EnterAsync("r", 5);

        // As if the call had read before that step: no registration, the same mark.
        (await fixture.Server.QueryAsync(
            $"""
            SELECT "{Prefix}_set_mark"('r', '{gateway.Session}', 3, interval '0', r.sequence, 0, 'me', 'why')
              FROM "{Prefix}_resources" r WHERE key = 'r'
            """)).ShouldBe("f");
        var record = (await store.FindAsync(gateway.Request("r", 1).Resource, default))!.Value;
        record.Mark.ShouldBe(5);
        record.Writers.ShouldHaveSingleItem().Session.ShouldBe(gateway.Session);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData(" 61")]
    [InlineData("-5 61")]
    [InlineData("5 6")]
    [InlineData("5 6g")]
    [InlineData("5 00")]
    [InlineData("5 ff")]
    [InlineData("99999999999999999999 61")]
    public void Parse_PayloadOfSomebodyElse_IsIgnored(string payload) => PostgresListener.Parse(payload).ShouldBeNull();

    [Fact]
    public void Parse_OwnPayload_IsTheChange() =>
        PostgresListener.Parse($"{long.MaxValue} {Convert.ToHexStringLower(Encoding.UTF8.GetBytes("orders/é"))}")
            .ShouldBe(new ResourceChange(Conformance.ConformanceGateway.Key("orders/é"), long.MaxValue));

    [Fact]
    public async Task OpenAsync_NoServerOrNoConnectionString_SaysSoWithoutThePassword()
    {
        await using var absent = PostgresFixture.CreateStore(
            $"Host=127.0.0.1;Port={FreePorts.Next()};Username=u;Password=secret", "fg");
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await absent.OpenAsync(default));
        refused.ToString().ShouldNotContain("secret");
        refused.NotTaken.ShouldBeTrue();
        await using var wrong = PostgresFixture.CreateStore("Hots=127.0.0.1;Password=secret", "fg");
        refused = await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await wrong.OpenAsync(default));
        refused.Message.ShouldContain("is not valid");
        refused.Message.ShouldNotContain("secret");
    }

    private protected override int ServerPort => fixture.Server.Port;

    private protected override ITokenStore CreateStore(int port) =>
        PostgresFixture.CreateStore($"{fixture.Server.ConnectionString()};Port={port}", Prefix, _logger);

    private protected override int CountLogged(int eventId) => _logger.Entries.Count(entry => entry.Id == eventId);

    private protected override Task RestartServerAsync() => fixture.Server.RestartAsync();

    private protected override void PauseServer() => fixture.Server.Pause();

    private protected override void ContinueServer() => fixture.Server.Continue();

    private protected override Task<IAsyncDisposable> LockResourceAsync(string key) =>
        LockAsync($"""SELECT 1 FROM "{Prefix}_resources" WHERE key = '{key}' FOR UPDATE""");

    private protected override Task<IAsyncDisposable> LockSessionAsync(string id) =>
        LockAsync($"""SELECT 1 FROM "{Prefix}_sessions" WHERE id = '{id}' FOR UPDATE""");

    private protected override async Task EventuallyWaitingAsync(int count)
    {
        await using var connection = new NpgsqlConnection(fixture.Server.ConnectionString() + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(
            "SELECT count(*) = $1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'", connection);
        command.Parameters.Add(new() { Value = count });
        await EventuallyAsync(async () => (bool)(await command.ExecuteScalarAsync())!);
    }

    private protected override Task AgeSessionsAsync() =>
        fixture.Server.QueryAsync($"""UPDATE "{Prefix}_sessions" SET ended_at = clock_timestamp() - interval '26 hours'""");

    private protected override async Task<int> CountSessionsAsync() =>
        int.Parse(await fixture.Server.QueryAsync($"""SELECT count(*) FROM "{Prefix}_sessions" """), null);

    /// <summary>From now on a commit waits, for a standby that is not there.</summary>
    private static async Task LoseReplicaAsync(PostgresServer server)
    {
        await server.QueryAsync("ALTER SYSTEM SET synchronous_standby_names = 'absent'");
        await server.QueryAsync("SELECT pg_reload_conf()");
        await EventuallyAsync(async () => await server.QueryAsync("SHOW synchronous_standby_names") == "absent");
    }

    /// <summary>Keeps what a statement locks until it is disposed of.</summary>
    private async Task<IAsyncDisposable> LockAsync(string sql)
    {
        var connection = new NpgsqlConnection(fixture.Server.ConnectionString() + ";Pooling=false");
        await connection.OpenAsync();
        _ = await connection.BeginTransactionAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        (await command.ExecuteScalarAsync()).ShouldNotBeNull();
        return connection;
    }
}
