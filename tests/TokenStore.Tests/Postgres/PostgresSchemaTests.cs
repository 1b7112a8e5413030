using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Postgres;
using FenceGateway.TokenStore.Tests.Sql;
using Microsoft.Extensions.Logging;

namespace FenceGateway.TokenStore.Tests.Postgres;

public sealed class PostgresSchemaTests(PostgresFixture fixture) : IClassFixture<PostgresFixture>
{
    [Fact]
    public async Task OpenAsync_ManyGatewaysOnAnEmptyDatabase_MakeTheTablesOnce()
    {
        var database = await fixture.Server.CreateDatabaseAsync();
        var logger = new TestLogger<PostgresTokenStore>();
        var stores = Enumerable.Range(0, 5)
            .Select(_ => PostgresFixture.CreateStore(fixture.Server.ConnectionString(database), "fg", logger))
            .ToArray();
        await Task.WhenAll(stores.Select(store => store.OpenAsync(default).AsTask()));
        logger.Entries.Count(entry => entry.Id == 2240).ShouldBe(1);
        foreach (var store in stores)
        {
            await store.DisposeAsync();
        }
    }

    [Fact]
    public async Task OpenAsync_TablesOfBefore_KeepTheirMarks()
    {
        var database = await fixture.Server.CreateDatabaseAsync();
        await EnterAsync(database, "fg", 41);
        await using var store = PostgresFixture.CreateStore(fixture.Server.ConnectionString(database), "fg");
        await store.OpenAsync(default);
        (await store.FindAsync(ConformanceGateway.Key("r"), default))!.Value.Mark.ShouldBe(41);
    }

    [Fact]
    public async Task OpenAsync_OtherPrefix_IsAnotherFleet()
    {
        var database = await fixture.Server.CreateDatabaseAsync();
        await EnterAsync(database, "fg", 41);
        await EnterAsync(database, "0-other_fleet", 1);
    }

    [Fact]
    public async Task OpenAsync_TablesOfANewerVersion_IsRefused()
    {
        var database = await fixture.Server.CreateDatabaseAsync();
        await EnterAsync(database, "fg", 1);
        await fixture.Server.QueryAsync("INSERT INTO fg_schema (version, epoch) VALUES (2, 'later')", database);
        await using var store = PostgresFixture.CreateStore(fixture.Server.ConnectionString(database), "fg");
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await store.OpenAsync(default));
        refused.Message.ShouldContain("have version 2, this gateway knows versions up to 1");
        store.Fault.ShouldNotBeNull();
    }

    [Fact]
    public async Task OpenAsync_TablesMadeAnew_IsReportedAsALossOfData()
    {
        var database = await fixture.Server.CreateDatabaseAsync();
        var logger = new TestLogger<PostgresTokenStore>();
        await using var store = PostgresFixture.CreateStore(fixture.Server.ConnectionString(database), "fg", logger);
        await store.OpenAsync(default);
        await store.OpenAsync(default);
        logger.Entries.ShouldNotContain(entry => entry.Level == LogLevel.Error);
        await fixture.Server.QueryAsync("DROP SCHEMA public CASCADE; CREATE SCHEMA public", database);
        await store.OpenAsync(default);
        logger.Entries.ShouldContain(entry => entry.Level == LogLevel.Error && entry.Text.Contains("lost or replaced"));
    }

    [Fact]
    public async Task OpenAsync_RoleThatMayNotCreate_IsToldWhatToDoAndWorksOnTablesMadeForIt()
    {
        var database = await fixture.Server.CreateDatabaseAsync();
        var role = $"limited_{database}";
        await fixture.Server.QueryAsync($"CREATE ROLE {role} LOGIN", database);
        await using var store = PostgresFixture.CreateStore(fixture.Server.ConnectionString(database, role), "fg");
        var refused = await Should.ThrowAsync<TokenStoreUnavailableException>(
            async () => await store.OpenAsync(default));
        refused.Message.ShouldContain("may not make the tables fg_*");

        // What docs/stores.md tells an administrator to do.
        await fixture.Server.QueryAsync(PostgresSchema.Script(1, "fg"), database);
        await fixture.Server.QueryAsync(
            $"""
            GRANT SELECT ON fg_schema TO {role};
            GRANT SELECT, INSERT, UPDATE, DELETE ON fg_sessions, fg_resources, fg_writers TO {role};
            GRANT INSERT ON fg_operator_marks TO {role};
            GRANT USAGE ON SEQUENCE fg_sequence TO {role};
            """,
            database);
        var gateway = await store.StartGatewayAsync();
        await gateway.EnterAsync("r", 7);
        await gateway.WithdrawAsync("r");
        (await gateway.SetMarkAsync("r", 9)).ShouldBeTrue();
        (await store.ResolveAsync(ConformanceGateway.Key("r"), default)).ShouldBe(0);
        (await gateway.HeartbeatAsync()).Alive.ShouldBeTrue();
        await gateway.EndSessionAsync(isClean: true);
        (await fixture.Server.QueryAsync("""SELECT "from", "to", actor, reason <> '' FROM fg_operator_marks""", database))
            .ShouldStartWith("7|9|");
    }

    private async Task EnterAsync(string database, string prefix, long token)
    {
        await using var store = PostgresFixture.CreateStore(fixture.Server.ConnectionString(database), prefix);
        var gateway = await store.StartGatewayAsync();
        await gateway.EnterAsync("r", token);
    }
}
