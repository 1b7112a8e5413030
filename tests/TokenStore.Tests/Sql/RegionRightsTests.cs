using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Etcd;
using FenceGateway.TokenStore.Tests.MySql;
using FenceGateway.TokenStore.Tests.Postgres;

namespace FenceGateway.TokenStore.Tests.Sql;

/// <summary>A region is read by a user who has no more than the rights that docs/stores.md asks for.</summary>
public sealed class RegionRightsTests
{
    [Fact]
    public async Task Postgres_UserThatMayOnlySelect_ReadsTheMarks()
    {
        await using var server = await PostgresServer.StartAsync("fsync=off");
        await BeginAsync(PostgresFixture.CreateStore(server.ConnectionString(), "fg"));
        await server.QueryAsync(
            "CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA public TO reader; "
            + "GRANT SELECT ON fg_schema, fg_resources, fg_writers, fg_sessions TO reader");

        await ShouldReadAsync(PostgresFixture.CreateStore(server.ConnectionString(user: "reader"), "fg"));
    }

    [Fact]
    public async Task MySql_UserThatMaySelectAndRemoveOldChanges_ReadsTheMarks()
    {
        await using var server = await MariaDbServer.StartAsync();
        await BeginAsync(MariaDbFixture.CreateStore(server.ConnectionString(), "fg"));
        await server.QueryAsync(
            "CREATE USER reader@'%'; "
            + string.Concat(
                new[] { "schema", "resources", "writers", "sessions", "changes" }.Select(
                    t => $"GRANT SELECT ON test.fg_{t} TO reader@'%'; "))
            + "GRANT DELETE ON test.fg_changes TO reader@'%'");

        await ShouldReadAsync(MariaDbFixture.CreateStore(server.ConnectionString(user: "reader"), "fg"));
    }

    [Fact]
    public async Task Etcd_UserThatMayOnlyRead_ReadsTheMarks()
    {
        await using var server = await EtcdServer.StartAsync();
        await BeginAsync(Etcd(server, null));
        _ = await server.PostAsync("/v3/auth/user/add", """{"name":"reader","password":"sesame"}""");
        _ = await server.PostAsync("/v3/auth/role/add", """{"name":"reader"}""");
        var (from, to) = (Convert.ToBase64String("fg/"u8), Convert.ToBase64String("fg0"u8));
        _ = await server.PostAsync("/v3/auth/role/grant", $$"""{"name":"reader","perm":{"permType":"READ","key":"{{from}}","range_end":"{{to}}"} }""");
        _ = await server.PostAsync("/v3/auth/user/grant", """{"user":"reader","role":"reader"}""");
        await server.EnableAuthAsync("root");

        await ShouldReadAsync(Etcd(server, "reader"));
    }

    private static EtcdTokenStore Etcd(EtcdServer server, string? user) => new(
        new EtcdTokenStoreOptions
        { Endpoints = [server.Address], UserName = user, Password = user is null ? null : () => "sesame" },
        TimeProvider.System, new TestLogger<EtcdTokenStore>());

    /// <summary>A gateway of the region has been there.</summary>
    private static async Task BeginAsync(ITokenStore store)
    {
        await using var opened = store;
        await store.OpenAsync(default);
        await store.StartSessionAsync("s", TimeSpan.FromSeconds(30), default);
        var request = new EnterRequest(
            "s", ConformanceGateway.Key("r"), new FencingToken(7), new FencingToken(7), 1, TimeSpan.Zero);
        (await store.EnterAsync(request, default)).Status.ShouldBe(EnterStatus.Admitted);
    }

    private static async Task ShouldReadAsync(ITokenStore store)
    {
        await using var opened = store;
        await store.OpenAsync(default);
        (await store.ListAsync(new MarkQuery("", long.MaxValue, 100), default)).ShouldHaveSingleItem().Mark.ShouldBe(7);
    }
}
