using FenceGateway.Gateway.Stores;
using FenceGateway.TestKit;
using Microsoft.Extensions.DependencyInjection;

namespace FenceGateway.Gateway.Tests.Stores;

public sealed class TokenStoresTests
{
    public static TheoryData<string> Providers => [.. Enum.GetNames<TokenStoreProvider>()];

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Create_EveryProvider_MakesItsStoreWithoutAskingAnybody(string name)
    {
        using var folder = new TempFolder();
        var options = new TokenStoreOptions
        {
            Provider = Enum.Parse<TokenStoreProvider>(name),
            Embedded = { Path = folder.File("tokens") },
            Redis =
                { Configuration = "127.0.0.1:1", User = "user", Password = "a,s3cret", Sentinels = new() { Password = "a,s3cret" } },
            Quorum = { Nodes = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"], Password = "a,s3cret" },
            Postgres = { ConnectionString = "Host=127.0.0.1;Port=1;Password=s3cret" },
            MySql = { ConnectionString = "Server=127.0.0.1;Port=1", User = "user", Password = "a;Server=s3cret" },
            ZooKeeper = { ConnectionString = "127.0.0.1:1", User = "user", Password = "s3cret" },
            Etcd = { Endpoints = ["http://127.0.0.1:1"], User = "user", Password = "s3cret" },
        };
        var services = new ServiceCollection().AddLogging().AddMetrics().AddSingleton(TimeProvider.System);
        await using var provider = services.BuildServiceProvider();

        await using var store = TokenStores.Create(options, provider);

        store.Info.Provider.ShouldBe(name);
        store.Info.Location.ShouldNotContain("s3cret");
        store.Fault.ShouldNotBeNull();
    }
}
