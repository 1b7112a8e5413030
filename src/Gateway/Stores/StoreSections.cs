using System.ComponentModel;
using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Stores;

/// <summary>Where a shared token store is: one section for each kind, of which the chosen one counts.</summary>
internal abstract class StoreSections
{
    [Description("Settings of one Redis.")]
    public RedisStoreOptions Redis { get; set; } = new();

    [Description("Settings of a majority of independent Redis masters.")]
    public QuorumStoreOptions Quorum { get; set; } = new();

    [Description("Settings of PostgreSQL.")]
    public PostgresStoreOptions Postgres { get; set; } = new();

    [Description("Settings of MySQL or MariaDB.")]
    public MySqlStoreOptions MySql { get; set; } = new();

    [Description("Settings of ZooKeeper.")]
    public ZooKeeperStoreOptions ZooKeeper { get; set; } = new();

    [Description("Settings of etcd.")]
    public EtcdStoreOptions Etcd { get; set; } = new();
}

internal sealed class RedisStoreOptions : StoreSignIn
{
    [Description("A StackExchange.Redis configuration string: host:port, several of them for a master with its "
        + "replicas or for a cluster, Sentinels with serviceName=, and options such as ssl=true, defaultDatabase=. "
        + "User and password are settings of their own. Required "
        + "with this provider.")]
    [Secret(SecretForm.RedisConfiguration)]
    public string Configuration { get; set; } = "";

    [Description("With ssl=true: a PEM file of the authorities that may have signed the server's certificate. null: "
        + "those that the system trusts.")]
    public string? CertificateAuthority { get; set; }

    [Description("A PEM file with the certificate and the private key for a server that asks for one. null: none.")]
    public string? ClientCertificate { get; set; }

    [Description("As whom Sentinels are asked. null: as whom the master is.")]
    public StoreSignIn? Sentinels { get; set; }
}

internal sealed class QuorumStoreOptions : StoreSignIn
{
    [Description("A StackExchange.Redis configuration string for each master; 3 to 9, none of which replicates "
        + "another. Always all of them: a majority is one of those named here. User and password are settings of their "
        + "own, for all of them. Required with this provider.")]
    [Secret(SecretForm.RedisConfiguration)]
    public List<string> Nodes { get; set; } = [];

    [Description("With ssl=true: a PEM file of the authorities that may have signed the masters' certificates. null: "
        + "those that the system trusts.")]
    public string? CertificateAuthority { get; set; }

    [Description("A PEM file with the certificate and the private key for a master that asks for one. null: none.")]
    public string? ClientCertificate { get; set; }
}

internal sealed class PostgresStoreOptions : StoreSignIn
{
    [Description("An Npgsql connection string: Host=…;Database=…. User and password are settings of their own. "
        + "Required with this provider.")]
    [Secret(SecretForm.ConnectionString)]
    public string ConnectionString { get; set; } = "";
}

internal sealed class MySqlStoreOptions : StoreSignIn
{
    [Description("A connection string: Server=…;Database=…. User and password are settings of their own. Required with "
        + "this provider.")]
    [Secret(SecretForm.ConnectionString)]
    public string ConnectionString { get; set; } = "";
}

[Description("With a User, what is made in ZooKeeper is for this user alone (digest authentication); without one "
    + "everybody may change it.")]
internal sealed class ZooKeeperStoreOptions : StoreSignIn
{
    [Description("host:port of each server, separated by commas. Required with this provider.")]
    public string ConnectionString { get; set; } = "";

    [Description("The node under which KeyPrefix names the node where everything is kept.")]
    public string Root { get; set; } = "/fencegateway";

    [Description("Whether connections are encrypted: ConnectionString names the servers' secureClientPort then.")]
    public bool Tls { get; set; }

    [Description("With Tls: a PEM file of the authorities that may have signed the servers' certificates. null: those "
        + "that the system trusts.")]
    public string? CertificateAuthority { get; set; }

    [Description("With Tls: a PEM file with the certificate and the private key for a server that asks for one. null: "
        + "none.")]
    public string? ClientCertificate { get; set; }
}

internal sealed class EtcdStoreOptions : StoreSignIn
{
    [Description("Client addresses of the members: http://host:2379 or https://…. Required with this provider.")]
    public List<string> Endpoints { get; set; } = [];

    [Description("With https://: a PEM file of the authorities that may have signed the members' certificates. null: "
        + "those that the system trusts.")]
    public string? CertificateAuthority { get; set; }

    [Description("With https://: a PEM file with the certificate and the private key for a member that asks for one. "
        + "null: none.")]
    public string? ClientCertificate { get; set; }
}
