using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.MySql;
using FenceGateway.TokenStore.Tests.Sql;
using MySqlConnector;

namespace FenceGateway.TokenStore.Tests.MySql;

public sealed class MySqlTokenStoreTests(MariaDbFixture fixture) : SqlStoreTests, IClassFixture<MariaDbFixture>
{
    private readonly TestLogger<MySqlTokenStore> _logger = new();

    [Fact]
    public async Task EnterAsync_ConnectionEndedByAnAdministrator_LeavesTheOutcomeOpenAndALockNotGotDoesNot()
    {
        await using var store = CreateStore();
        var gateway = await store.StartGatewayAsync();
        await gateway.EnterAsync("r", 5);
        await using (await LockResourceAsync("r"))
        {
            var step = gateway.EnterAsync("r", 6);
            await EventuallyWaitingAsync(1);
            var id = await fixture.Server.QueryAsync(
                $"SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'");
            await fixture.Server.QueryAsync($"KILL {id}");
            (await Should.ThrowAsync<TokenStoreUnavailableException>(() => step)).NotTaken.ShouldBeFalse();
            (await Should.ThrowAsync<TokenStoreUnavailableException>(() => gateway.EnterAsync("r", 6))).NotTaken
                .ShouldBeTrue();
        }

        (await gateway.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task OpenAsync_AgainAndAgainWhileCommitsWaitForAReplica_LeavesNothingBehindAtTheServer()
    {
        await using var server = await MariaDbServer.StartAsync("log-bin=log", "server-id=1");
        await using var store = MariaDbFixture.CreateStore(server.ConnectionString(), "fg");
        await store.OpenAsync(default);
        await server.QueryAsync(
            "SET GLOBAL rpl_semi_sync_master_timeout = 86400000; SET GLOBAL rpl_semi_sync_master_enabled = 1");
        await LeaveStartsOfSessionsAsync(store);
        await EventuallyAsync(async () => await server.QueryAsync(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'CALL%' OR state LIKE "
                + "'%semi-sync%'") == "0");
    }

    [Fact]
    public async Task EnterAsync_CommitWaitsForAReplicaForever_IsGivenUpHereAndAtTheServer()
    {
        await using var server = await MariaDbServer.StartAsync("log-bin=log", "server-id=1");
        await using var store = MariaDbFixture.CreateStore(
            server.ConnectionString() + ";Default Command Timeout=1", "fg");
        var gateway = await store.StartGatewayAsync();
        await server.QueryAsync(
            "SET GLOBAL rpl_semi_sync_master_timeout = 86400000; SET GLOBAL rpl_semi_sync_master_enabled = 1");
        (await Should.ThrowAsync<TokenStoreUnavailableException>(() => gateway.EnterAsync("r", 5))).NotTaken
            .ShouldBeFalse();
        await EventuallyAsync(async () => await server.QueryAsync(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE '%semi-sync%'") == "0");
    }

    /// <summary>
    /// Stale (5), and draining for a writer with an older token (6): the mark is told, so the answer waits as a change
    /// of it does.
    /// </summary>
    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public async Task EnterAsync_MarkThatAReplicaMayNotHave_IsNotToldBeforeItDoes(long token)
    {
        await using var server = await MariaDbServer.StartAsync("log-bin=log", "server-id=1");
        await using var store = MariaDbFixture.CreateStore(
            server.ConnectionString() + ";Default Command Timeout=1", "fg");
        var (gateway, other) = (await store.StartGatewayAsync(), new ConformanceGateway(store));
        await gateway.EnterAsync("r", 5);
        await other.StartSessionAsync();
        (await other.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Draining);
        await server.QueryAsync(
            "SET GLOBAL rpl_semi_sync_master_timeout = 86400000; SET GLOBAL rpl_semi_sync_master_enabled = 1");

        (await Should.ThrowAsync<TokenStoreUnavailableException>(() => other.EnterAsync("r", token))).NotTaken
            .ShouldBeFalse();
    }

    [Fact]
    public async Task EnterAsync_StepIsGivenUpWhileTheServerStandsStill_ItsPlaceAndConnectionsAreFreeAgain()
    {
        await using var server = await MariaDbServer.StartAsync();
        await using var store = MariaDbFixture.CreateStore(
            server.ConnectionString() + ";Default Command Timeout=1;Connection Timeout=1;Maximum Pool Size=1", "fg");
        var gateway = await store.StartGatewayAsync(TimeSpan.FromMinutes(5));
        await gateway.EnterAsync("r", 5);
        server.Pause();
        (await Should.ThrowAsync<TokenStoreUnavailableException>(() => gateway.EnterAsync("r", 6))).NotTaken
            .ShouldBeFalse();
        (await Should.ThrowAsync<TokenStoreUnavailableException>(() => gateway.EnterAsync("r", 7))).NotTaken
            .ShouldBeTrue("nothing could be sent");
        server.Continue();
        await EventuallyAsync(async () => (await gateway.EnterAsync("r", 8)).Status == EnterStatus.Admitted);
        await EventuallyAsync(async () => await server.QueryAsync(
            "SELECT COUNT(*) <= 3 FROM information_schema.processlist WHERE user = 'root'") == "1");
    }

    [Fact]
    public async Task EnterAsync_FirewallForgotAConnectionWhileItWasIdle_CostsNoCall()
    {
        await using var proxy = new TcpProxy(fixture.Server.Port);
        var clock = new LaterClock();
        await using var store = new MySqlTokenStore(
            new MySqlTokenStoreOptions { ConnectionString = $"{fixture.Server.ConnectionString()};Port={proxy.Port}", KeyPrefix = Prefix }, clock, _logger);
        var gateway = await store.StartGatewayAsync(TimeSpan.FromMinutes(5));
        await gateway.EnterAsync("r", 5);
        proxy.Forget();
        clock.Later = TimeSpan.FromMinutes(1);
        (await gateway.EnterAsync("r", 6)).Status.ShouldBe(EnterStatus.Admitted);
    }

    /// <summary>What leaves nothing of a step, provoked by an administrator; numbers are the server's.</summary>
    [Theory]
    [InlineData("root", "DROP PROCEDURE fg_enter", 1305)]
    [InlineData("root", "DROP TABLE fg_writers", 1146)]
    [InlineData("gateway", "SET GLOBAL read_only = 1", 1290)]
    [InlineData("gateway", "REVOKE EXECUTE ON PROCEDURE fg_enter FROM gateway", 1370)]
    [InlineData("gateway", "REVOKE INSERT ON fg_resources FROM gateway", 1142)]
    [InlineData("gateway", "REVOKE UPDATE ON fg_resources FROM gateway; GRANT UPDATE (sequence) ON fg_resources TO "
        + "gateway", 1143)]
    public async Task EnterAsync_ServerRefusesTheStep_IsKnownNotToBeTaken(string user, string provocation, int number)
    {
        await using var server = await MariaDbServer.StartAsync();
        await using (var first = MariaDbFixture.CreateStore(server.ConnectionString(), "fg"))
        {
            await first.OpenAsync(default);
        }

        await server.QueryAsync("CREATE USER gateway");
        foreach (var table in (await server.QueryAsync("SHOW TABLES"))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            await server.QueryAsync($"GRANT SELECT, INSERT, UPDATE, DELETE ON `{table}` TO gateway");
        }

        foreach (var procedure in (await server.QueryAsync("SELECT name FROM mysql.proc WHERE db = 'test'"))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            await server.QueryAsync($"GRANT EXECUTE ON PROCEDURE `{procedure}` TO gateway");
        }

        await using var store = MariaDbFixture.CreateStore(server.ConnectionString(user: user), "fg");
        var gateway = await store.StartGatewayAsync();
        await gateway.EnterAsync("other", 5);
        await server.QueryAsync(provocation);
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(() => gateway.EnterAsync("r", 5));
        refused.Message.ShouldEndWith($"({number})");
        refused.NotTaken.ShouldBeTrue();
    }

    [Fact]
    public async Task EnterAsync_AddressLeadsToAnotherServerMeanwhile_IsRefused()
    {
        await using var second = await MariaDbServer.StartAsync("server-id=2");
        await using var proxy = new TcpProxy(fixture.Server.Port);
        await using var store = CreateStore(proxy.Port);
        var gateway = await store.StartGatewayAsync();
        await gateway.EnterAsync("r", 5);
        proxy.Target = second.Port;
        await using (await LockResourceAsync("r"))
        {
            // The connection that is there waits, so that the next call makes another one.
            var waiting = gateway.EnterAsync("r", 6);
            await EventuallyWaitingAsync(1);
            var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(() => gateway.EnterAsync("other", 6));
            refused.Message.ShouldContain("reach different servers");
            refused.NotTaken.ShouldBeTrue();
            waiting.IsCompleted.ShouldBeFalse();
        }
    }

    [Fact]
    public async Task OpenAsync_SeveralHosts_IsRefused()
    {
        await using var store = MariaDbFixture.CreateStore("Server=a,b;User Id=u", "fg");
        (await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await store.OpenAsync(default)))
            .Message.ShouldContain("names several hosts");
    }

    [Fact]
    public async Task Changed_AfterTheServerWasRestarted_IsToldAgain()
    {
        await using var store = CreateStore();
        var first = await store.StartGatewayAsync();
        await using var other = CreateStore();
        var second = await other.StartGatewayAsync();
        await first.EnterAsync("r", 5);
        await fixture.Server.RestartAsync();
        await EventuallyAsync(() => Task.FromResult(CountLogged(2243) == 2));
        await EventuallyAsync(async () => await second.MarkAsync("r") == 5);
        await second.EnterAsync("r", 6);
        await first.ChangedAsync("r");
    }

    [Fact]
    public async Task Changed_ManyChanges_TableOfChangesStaysSmall()
    {
        await using var store = CreateStore();
        await store.OpenAsync(default);
        await fixture.Server.QueryAsync(
            $"INSERT INTO `{Prefix}_changes` (resource, mark) SELECT 'x', seq FROM seq_1_to_9000");
        await EventuallyAsync(async () =>
            int.Parse(await fixture.Server.QueryAsync($"SELECT COUNT(*) FROM `{Prefix}_changes`"), null) < 6000);
    }

    [Fact]
    public async Task SetMarkAsync_CarriedOutAfterANewStepOfItsOwnSession_ChangesNothing()
    {
        await using var store = CreateStore();
        var gateway = await store.StartGatewayAsync();
        await gateway.EnterAsync("r", 5);

        // As if the call had read before that step: no registration, the same mark.
        var read = (await store.FindAsync(gateway.Request("r", 1).Resource, default))!.Value.Sequence;
        (await fixture.Server.QueryAsync($"CALL `{Prefix}_set_mark`('r', '{gateway.Session}', 3, 0, {read}, 0, 'me', "
            + "'why')")).ShouldBe("0");
        var record = (await store.FindAsync(gateway.Request("r", 1).Resource, default))!.Value;
        record.Mark.ShouldBe(5);
        record.Writers.ShouldHaveSingleItem().Session.ShouldBe(gateway.Session);
    }

    [Fact]
    public async Task OpenAsync_NoServerOrNoConnectionString_SaysSoWithoutThePassword()
    {
        await using var absent = MariaDbFixture.CreateStore(
            $"Server=127.0.0.1;Port={FreePorts.Next()};User Id=u;Password=secret", "fg");
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await absent.OpenAsync(default));
        refused.ToString().ShouldNotContain("secret");
        refused.NotTaken.ShouldBeTrue();
        await using var wrong = MariaDbFixture.CreateStore("Sevrer=127.0.0.1;Password=secret", "fg");
        refused = await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await wrong.OpenAsync(default));
        refused.Message.ShouldContain("is not valid");
        refused.Message.ShouldNotContain("secret");
    }

    private protected override int ServerPort => fixture.Server.Port;

    private protected override ITokenStore CreateStore(int port) =>
        MariaDbFixture.CreateStore($"{fixture.Server.ConnectionString()};Port={port}", Prefix, _logger);

    private protected override int CountLogged(int eventId) => _logger.Entries.Count(entry => entry.Id == eventId);

    private protected override Task RestartServerAsync() => fixture.Server.RestartAsync();

    private protected override void PauseServer() => fixture.Server.Pause();

    private protected override void ContinueServer() => fixture.Server.Continue();

    private protected override Task<IAsyncDisposable> LockResourceAsync(string key) =>
        LockAsync($"SELECT 1 FROM `{Prefix}_resources` WHERE resource = '{key}' FOR UPDATE");

    private protected override Task<IAsyncDisposable> LockSessionAsync(string id) =>
        LockAsync($"SELECT 1 FROM `{Prefix}_sessions` WHERE id = '{id}' FOR UPDATE");

    private protected override async Task EventuallyWaitingAsync(int count)
    {
        await using var connection = new MySqlConnection(fixture.Server.ConnectionString());
        await connection.OpenAsync();
        await using var command = new MySqlCommand(
            "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'", connection);
        await EventuallyAsync(async () =>
        {
            await using var reader = await command.ExecuteReaderAsync();
            return await reader.ReadAsync() && reader.GetString(1) == $"{count}";
        });
    }

    private protected override Task AgeSessionsAsync() =>
        fixture.Server.QueryAsync($"UPDATE `{Prefix}_sessions` SET ended_at = expires_at - 26 * 3600000000");

    private protected override async Task<int> CountSessionsAsync() =>
        int.Parse(await fixture.Server.QueryAsync($"SELECT COUNT(*) FROM `{Prefix}_sessions`"), null);

    /// <summary>Keeps what a statement locks until it is disposed of.</summary>
    private async Task<IAsyncDisposable> LockAsync(string sql)
    {
        var connection = new MySqlConnection(fixture.Server.ConnectionString() + ";Pooling=false");
        await connection.OpenAsync();
        var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.ReadCommitted);
        await using var command = new MySqlCommand(sql, connection, transaction);
        (await command.ExecuteScalarAsync()).ShouldNotBeNull();
        return connection;
    }

    private sealed class LaterClock : TimeProvider
    {
        public TimeSpan Later { get; set; }

        public override long GetTimestamp() => System.GetTimestamp() + (long)(Later.TotalSeconds * TimestampFrequency);
    }
}
