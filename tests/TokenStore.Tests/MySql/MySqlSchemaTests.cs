using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.MySql;
using FenceGateway.TokenStore.Tests.Sql;
using Microsoft.Extensions.Logging;

namespace FenceGateway.TokenStore.Tests.MySql;

public sealed class MySqlSchemaTests(MariaDbFixture fixture) : IClassFixture<MariaDbFixture>
{
    [Fact]
    public async Task OpenAsync_ManyGatewaysOnAnEmptyDatabase_MakeTheTablesOnce()
    {
        var database = await fixture.Server.CreateDatabaseAsync();
        var logger = new TestLogger<MySqlTokenStore>();
        var stores = Enumerable.Range(0, 5)
            .Select(_ => MariaDbFixture.CreateStore(fixture.Server.ConnectionString(database), "fg", logger)).ToArray();
        await Task.WhenAll(stores.Select(store => store.OpenAsync(default).AsTask()));
        logger.Entries.Count(entry => entry.Id == 2240).ShouldBe(1);
        foreach (var store in stores)
        {
            await store.DisposeAsync();
        }
    }

    [Fact]
    public async Task OpenAsync_BrokenOffWhileTheTablesWereMade_MakesTheRest()
    {
        var database = await fixture.Server.CreateDatabaseAsync();
        foreach (var statement in MySqlSchema.Script(1, "fg").SkipLast(3))
        {
            await fixture.Server.QueryAsync($"DELIMITER $$\n{statement}\n$$", database);
        }

        await EnterAsync(database, "fg", 1);
    }

    [Fact]
    public async Task OpenAsync_TablesOfBefore_KeepTheirMarks()
    {
        var database = await fixture.Server.CreateDatabaseAsync();
        await EnterAsync(database, "fg", 41);
        await EnterAsync(database, "0-other_fleet", 1);
        await using var store = MariaDbFixture.CreateStore(fixture.Server.ConnectionString(database), "fg");
        await store.OpenAsync(default);
        (await store.FindAsync(ConformanceGateway.Key("r"), default))!.Value.Mark.ShouldBe(41);
    }

    [Fact]
    public async Task OpenAsync_TablesOfANewerVersion_IsRefused()
    {
        var database = await fixture.Server.CreateDatabaseAsync();
        await EnterAsync(database, "fg", 1);
        await fixture.Server.QueryAsync("INSERT INTO fg_schema (version, epoch) VALUES (2, 'later')", database);
        await using var store = MariaDbFixture.CreateStore(fixture.Server.ConnectionString(database), "fg");
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await store.OpenAsync(default));
        refused.Message.ShouldContain("have version 2, this gateway knows versions up to 1");
    }

    [Fact]
    public async Task OpenAsync_TablesMadeAnew_IsReportedAsALossOfData()
    {
        var database = await fixture.Server.CreateDatabaseAsync();
        var logger = new TestLogger<MySqlTokenStore>();
        await using var store = MariaDbFixture.CreateStore(fixture.Server.ConnectionString(database), "fg", logger);
        await store.OpenAsync(default);
        await fixture.Server.QueryAsync($"DROP DATABASE {database}; CREATE DATABASE {database}");
        await store.OpenAsync(default);
        logger.Entries.ShouldContain(entry => entry.Level == LogLevel.Error && entry.Text.Contains("lost or replaced"));
    }

    [Fact]
    public async Task OpenAsync_UserThatMayNotCreate_IsToldWhatToDoAndWorksOnTablesMadeForIt()
    {
        var database = await fixture.Server.CreateDatabaseAsync();
        var user = $"u{Guid.NewGuid():N}"[..20];
        await fixture.Server.QueryAsync(
            $"CREATE USER {user}; GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE ON {database}.* TO {user}");
        await using var store = MariaDbFixture.CreateStore(fixture.Server.ConnectionString(database, user), "fg");
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await store.OpenAsync(default));
        refused.Message.ShouldContain("may not make the tables fg_*");

        // An administrator's gateway, or the mysql client, makes them.
        await EnterAsync(database, "fg", 5);
        var gateway = await store.StartGatewayAsync();
        await gateway.EnterAsync("r", 7);
        await gateway.WithdrawAsync("r");
        (await gateway.SetMarkAsync("r", 9, TimeSpan.Zero)).ShouldBeTrue();
        (await store.ResolveAsync(ConformanceGateway.Key("r"), default)).ShouldBe(0);
        (await gateway.HeartbeatAsync()).Alive.ShouldBeTrue();
        await gateway.EndSessionAsync(isClean: true);
        (await fixture.Server.QueryAsync("SELECT from_mark, to_mark, actor FROM fg_operator_marks", database))
            .ShouldStartWith("7\t9\t");
    }

    private async Task EnterAsync(string database, string prefix, long token)
    {
        await using var store = MariaDbFixture.CreateStore(fixture.Server.ConnectionString(database), prefix);
        var gateway = await store.StartGatewayAsync();
        await gateway.EnterAsync("r", token);
        await gateway.EndSessionAsync(isClean: true);
    }
}
