using System.Data.Common;
using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Stores;

/// <summary>Tells whether two settings mean the same store, as far as their words say. Never shown.</summary>
internal static class StoreIdentity
{
    /// <summary>
    /// The same text for the same store. Sections whose faults were reported elsewhere have some text, too.
    /// </summary>
    public static string Of(StoreSections sections, TokenStoreProvider provider, string prefix) => provider switch
    {
        TokenStoreProvider.Redis => $"redis {Redis(sections.Redis.Configuration)} {prefix}",
        TokenStoreProvider.Quorum => $"redis {Servers(sections.Quorum.Nodes)}/"
            + $"{RedisText.Database(sections.Quorum.Nodes.FirstOrDefault(""))} {prefix}",
        TokenStoreProvider.Postgres => $"postgres {Pairs(sections.Postgres.ConnectionString, "5432")} {prefix}",
        TokenStoreProvider.MySql => $"mysql {Pairs(sections.MySql.ConnectionString, "3306")} {prefix}",
        TokenStoreProvider.ZooKeeper => $"zookeeper {Sorted(sections.ZooKeeper.ConnectionString.Split(','))}"
            + $"{sections.ZooKeeper.Root} {prefix}",
        TokenStoreProvider.Etcd => $"etcd {Sorted(sections.Etcd.Endpoints.Select(Authority))} {prefix}",
        _ => $"{provider}",
    };

    private static string Redis(string configuration) =>
        $"{RedisText.Service(configuration)}@{Servers([configuration])}/{RedisText.Database(configuration)}";

    private static string Servers(IEnumerable<string> configurations) =>
        Sorted(configurations.SelectMany(RedisText.Servers));

    private static string Authority(string endpoint) =>
        Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) ? uri.Authority : endpoint;

    private static string Sorted(IEnumerable<string> servers) =>
        string.Join(',', servers.Select(s => s.Trim().ToLowerInvariant()).Order(StringComparer.Ordinal));

    private static string Pairs(string text, string port)
    {
        var pairs = new DbConnectionStringBuilder { ConnectionString = text };
        return $"{Value("host", "server", "data source", "datasource") ?? ""}:{Value("port") ?? port}/"
            + $"{Value("database", "initial catalog", "db") ?? ""}";

        string? Value(params ReadOnlySpan<string> names)
        {
            foreach (var name in names)
            {
                if (pairs.TryGetValue(name, out var value))
                {
                    return value.ToString();
                }
            }

            return null;
        }
    }
}
