namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>Where the ZooKeeper store keeps its data.</summary>
public sealed class ZooKeeperTokenStoreOptions
{
    /// <summary>The servers of one ensemble, <c>host:port,host:port</c>; the port is 2181 unless given. Default: 127.0.0.1:2181.</summary>
    public string ConnectionString { get; set; } = "127.0.0.1:2181";

    /// <summary>The node under which everything is kept; made when it is not there. An absolute path of the characters a–z, A–Z, 0–9, '_',
    /// '-' and '/'. Gateways that share it fence as one. Default: /fencegateway.</summary>
    public string Root { get; set; } = "/fencegateway";

    /// <summary><c>user:password</c> for ZooKeeper's scheme "digest"; nodes are then made for this user alone. A secret. Default: null,
    /// no authentication, and nodes that everybody may change.</summary>
    public string? Auth { get; set; }
}
