using FenceGateway.TestKit;
using FenceGateway.TokenStore.MySql;
using FenceGateway.TokenStore.Postgres;

namespace FenceGateway.TokenStore.Tests.Sql;

/// <summary>A password beside the connection string, asked for with each connection.</summary>
public sealed class SqlPasswordTests
{
    private const string Strange = "one;Host=evil;'\"=, two";

    [Fact]
    public async Task MySql_PasswordWithSeparators_SignsInWithTheOneOfNow()
    {
        await using var server = await MariaDbServer.StartAsync("innodb-flush-log-at-trx-commit=2");
        var password = Strange;
        await server.QueryAsync(
            "CREATE USER fence IDENTIFIED BY 'one;Host=evil;\\'\"=, two'; GRANT ALL ON test.* TO fence");
        await using var store = new MySqlTokenStore(
            new MySqlTokenStoreOptions
            { ConnectionString = server.ConnectionString(user: "fence"), KeyPrefix = "fg", Password = () => password },
            TimeProvider.System, new TestLogger<MySqlTokenStore>());

        await store.StartGatewayAsync();
        store.Info.Location.ShouldNotContain("evil");

        // Opened again it connects anew: with the old password it is refused.
        await server.QueryAsync("SET PASSWORD FOR fence = PASSWORD('three')");
        var refused = await store.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();
        refused.ToString().ShouldNotContain("two");
        password = "three";
        await store.OpenAsync(default);
    }

    [Fact]
    public async Task MySql_NoPasswordToBeHad_SaysWhy()
    {
        await using var server = await MariaDbServer.StartAsync("innodb-flush-log-at-trx-commit=2");
        await using var store = new MySqlTokenStore(
            new MySqlTokenStoreOptions
            { ConnectionString = server.ConnectionString(), KeyPrefix = "fg", Password = NoFile },
            TimeProvider.System, new TestLogger<MySqlTokenStore>());

        (await store.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>()).Message
            .ShouldContain("/run/secrets/none");
    }

    [Fact]
    public async Task Postgres_PasswordWithSeparators_SignsInWithTheOneOfNow()
    {
        await using var server = await PostgresServer.StartAsync("fsync=off");
        var password = Strange;
        await server.QueryAsync("CREATE ROLE fence LOGIN SUPERUSER PASSWORD 'one;Host=evil;''\"=, two'");
        var hba = await server.QueryAsync("SHOW hba_file");
        await server.QueryAsync(
            "COPY (SELECT 'host all fence all scram-sha-256' UNION ALL SELECT 'host all postgres all trust') TO "
                + $"'{hba.Trim()}'");
        await server.QueryAsync("SELECT pg_reload_conf()");
        await using var store = new PostgresTokenStore(
            new PostgresTokenStoreOptions
            { ConnectionString = server.ConnectionString(user: "fence"), KeyPrefix = "fg", Password = () => password },
            TimeProvider.System, new TestLogger<PostgresTokenStore>());

        await Eventually.IsSoAsync(
            async () => (await server.QueryAsync("SELECT count(*) FROM pg_hba_file_rules")).Trim() == "2",
            "the new rules");
        await store.StartGatewayAsync();
        store.Info.Location.ShouldNotContain("evil");

        await server.QueryAsync("ALTER ROLE fence PASSWORD 'three'");
        var refused = await store.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>();
        refused.ToString().ShouldNotContain("two");
        password = "three";
        await store.OpenAsync(default);
    }

    [Fact]
    public async Task Postgres_NoPasswordToBeHad_SaysWhy()
    {
        await using var server = await PostgresServer.StartAsync("fsync=off");
        await server.QueryAsync("CREATE ROLE fence LOGIN PASSWORD 'x'");
        var hba = await server.QueryAsync("SHOW hba_file");
        await server.QueryAsync($"COPY (SELECT 'host all all all password') TO '{hba.Trim()}'");
        await server.RestartAsync();
        await using var store = new PostgresTokenStore(
            new PostgresTokenStoreOptions
            { ConnectionString = server.ConnectionString(user: "fence"), KeyPrefix = "fg", Password = NoFile },
            TimeProvider.System, new TestLogger<PostgresTokenStore>());

        (await store.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>()).Message
            .ShouldContain("/run/secrets/none");
    }

    /// <summary>The driver's words repeat the option's name.</summary>
    [Theory]
    [InlineData("Host=a;Password=x;cadabra=1")]
    [InlineData("Host=a;Password=x;Port=cadabra")]
    public async Task Open_RestOfAPasswordThatIsNoOption_IsNotRepeated(string text)
    {
        await using var postgres = new PostgresTokenStore(
            new PostgresTokenStoreOptions { ConnectionString = text }, TimeProvider.System, new TestLogger<PostgresTokenStore>());
        await using var mySql = new MySqlTokenStore(
            new MySqlTokenStoreOptions { ConnectionString = text }, TimeProvider.System, new TestLogger<MySqlTokenStore>());

        (await postgres.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>()).ToString()
            .ShouldNotContain("cadabra");
        (await mySql.OpenAsync(default).AsTask().ShouldThrowAsync<TokenStoreUnavailableException>()).ToString()
            .ShouldNotContain("cadabra");
    }

    private static string NoFile() =>
        throw new TokenStoreUnavailableException("The password file '/run/secrets/none' is no "
            + "file")
        { NotTaken = true };
}
