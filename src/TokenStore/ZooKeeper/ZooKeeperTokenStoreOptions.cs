namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>Where the ZooKeeper store keeps its data.</summary>
public sealed class ZooKeeperTokenStoreOptions
{
    /// <summary>
    /// The servers of one ensemble, <c>host:port,host:port</c>; the port is 2181 unless given. Default: 127.0.0.1:2181.
    /// </summary>
    public string ConnectionString { get; set; } = "127.0.0.1:2181";

    /// <summary>
    /// The node under which everything is kept; made when it is not there. An absolute path of the characters a–z, A–Z,
    /// 0–9, '_', '-' and '/'. Gateways that share it fence as one. Default: /fencegateway.
    /// </summary>
    public string Root { get; set; } = "/fencegateway";

    /// <summary>Whether connections are encrypted: the servers' <c>secureClientPort</c>. Default: false.</summary>
    public bool Tls { get; set; }

    /// <summary>
    /// With <see cref="Tls"/>: a PEM file with the certificates of the authorities that may have signed those of the
    /// servers. Read for each connection. Unset: those that the system trusts.
    /// </summary>
    public string? CertificateAuthority { get; set; }

    /// <summary>
    /// With <see cref="Tls"/>: a PEM file with the certificate and the private key that the gateway shows to servers,
    /// which ask for one unless told otherwise (<c>ssl.clientAuth</c>). Read for each connection. Unset: none.
    /// </summary>
    public string? ClientCertificate { get; set; }

    /// <summary>
    /// <c>user:password</c> for ZooKeeper's scheme "digest"; nodes are then made for this user alone. A secret.
    /// Default: null, no authentication, and nodes that everybody may change.
    /// </summary>
    public string? Auth { get; set; }
}
