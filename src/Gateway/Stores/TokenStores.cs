using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Embedded;
using FenceGateway.TokenStore.Etcd;
using FenceGateway.TokenStore.Memory;
using FenceGateway.TokenStore.MySql;
using FenceGateway.TokenStore.Postgres;
using FenceGateway.TokenStore.Quorum;
using FenceGateway.TokenStore.Redis;
using FenceGateway.TokenStore.ZooKeeper;
using MySqlConnector;
using Npgsql;

namespace FenceGateway.Gateway.Stores;

/// <summary>
/// Makes token stores from their settings: a new store is a folder in src/TokenStore, a section of settings, and a line
/// here.
/// </summary>
internal static class TokenStores
{
    /// <summary>Makes this gateway's own store; nothing is opened yet.</summary>
    /// <param name="options">Its settings.</param>
    /// <param name="services">Clock and loggers.</param>
    public static ITokenStore Create(TokenStoreOptions options, IServiceProvider services) => options.Provider switch
    {
        TokenStoreProvider.Memory => ActivatorUtilities.CreateInstance<MemoryTokenStore>(services),
        TokenStoreProvider.Embedded => Make<EmbeddedTokenStore>(services, Embedded(options.Embedded)),
        _ => CreateShared(options, options.Provider, options.KeyPrefix, services),
    };

    /// <summary>Makes a store that several gateways share; nothing is opened yet.</summary>
    /// <param name="sections">The settings of all providers.</param>
    /// <param name="provider">The one that counts.</param>
    /// <param name="prefix">What the names of keys or tables begin with.</param>
    /// <param name="services">Clock and loggers.</param>
    public static ITokenStore CreateShared(
        StoreSections sections, TokenStoreProvider provider, string prefix,
        IServiceProvider services) => provider switch
        {
            TokenStoreProvider.Redis => Make<RedisTokenStore>(services, Redis(sections.Redis, prefix)),
            TokenStoreProvider.Quorum => Make<QuorumTokenStore>(services, Quorum(sections.Quorum, prefix)),
            TokenStoreProvider.Postgres => Make<PostgresTokenStore>(services, Postgres(sections.Postgres, prefix)),
            TokenStoreProvider.MySql => Make<MySqlTokenStore>(services, MySql(sections.MySql, prefix)),
            TokenStoreProvider.ZooKeeper => Make<ZooKeeperTokenStore>(services, ZooKeeper(sections.ZooKeeper, prefix)),
            TokenStoreProvider.Etcd => Make<EtcdTokenStore>(services, Etcd(sections.Etcd, prefix)),
            _ => throw new ArgumentOutOfRangeException(nameof(provider), provider, null),
        };

    private static T Make<T>(IServiceProvider services, object options)
        where T : ITokenStore => ActivatorUtilities.CreateInstance<T>(services, options);

    private static EmbeddedTokenStoreOptions Embedded(EmbeddedStoreOptions options) =>
        new() { Path = options.Path, MaxResources = options.MaxResources };

    private static RedisTokenStoreOptions Redis(RedisStoreOptions options, string prefix) => new()
    {
        Configuration = options.Configuration,
        KeyPrefix = prefix,
        CertificateAuthority = options.CertificateAuthority,
        ClientCertificate = options.ClientCertificate,
        User = options.User,
        Password = options.PasswordSource(),
        SentinelUser = options.Sentinels?.User,
        SentinelPassword = options.Sentinels?.PasswordSource(),
    };

    private static QuorumTokenStoreOptions Quorum(QuorumStoreOptions options, string prefix) => new()
    {
        Nodes = options.Nodes,
        KeyPrefix = prefix,
        CertificateAuthority = options.CertificateAuthority,
        ClientCertificate = options.ClientCertificate,
        User = options.User,
        Password = options.PasswordSource(),
    };

    private static PostgresTokenStoreOptions Postgres(PostgresStoreOptions options, string prefix)
    {
        var text = new NpgsqlConnectionStringBuilder(options.ConnectionString);
        text.Username = options.User ?? text.Username;
        return new()
        { ConnectionString = text.ConnectionString, KeyPrefix = prefix, Password = options.PasswordSource() };
    }

    private static MySqlTokenStoreOptions MySql(MySqlStoreOptions options, string prefix)
    {
        var text = new MySqlConnectionStringBuilder(options.ConnectionString);
        text.UserID = options.User ?? text.UserID;
        return new()
        { ConnectionString = text.ConnectionString, KeyPrefix = prefix, Password = options.PasswordSource() };
    }

    private static ZooKeeperTokenStoreOptions ZooKeeper(ZooKeeperStoreOptions options, string prefix) => new()
    {
        ConnectionString = options.ConnectionString,
        Root = $"{options.Root}/{prefix}",
        Tls = options.Tls,
        CertificateAuthority = options.CertificateAuthority,
        ClientCertificate = options.ClientCertificate,
        Auth = options.PasswordSource() is { } password ? $"{options.User}:{password()}" : null,
    };

    private static EtcdTokenStoreOptions Etcd(EtcdStoreOptions options, string prefix) => new()
    {
        Endpoints = options.Endpoints,
        KeyPrefix = prefix,
        CertificateAuthority = options.CertificateAuthority,
        ClientCertificate = options.ClientCertificate,
        UserName = options.User,
        Password = options.PasswordSource(),
    };
}
