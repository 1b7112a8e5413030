namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>Errors of ZooKeeper in the words of the store.</summary>
internal static class ZooKeeperFailure
{
    /// <summary>
    /// A step failed, and what it would have changed certainly did not change, since all of it was read-only so far.
    /// </summary>
    public static TokenStoreUnavailableException NotTaken(ZooKeeperClient client, ZooKeeperError error) =>
        TokenStoreUnavailableException.NothingTaken(Describe(client, error));

    /// <summary>A change failed.</summary>
    public static TokenStoreUnavailableException Of(ZooKeeperClient client, ZooKeeperError error) =>
        new(Describe(client, error)) { NotTaken = error.IsNotTaken() };

    private static string Describe(ZooKeeperClient client, ZooKeeperError error) => error switch
    {
        ZooKeeperError.NotSent => client.Fault ?? "The connection to ZooKeeper was lost.",
        ZooKeeperError.ConnectionLoss => $"The connection to ZooKeeper was lost before it answered. {client.Fault}"
            .TrimEnd(),
        ZooKeeperError.SessionExpired => "The ZooKeeper session has expired.",
        ZooKeeperError.NoAuth => "ZooKeeper refuses access to a node: set TokenStore:ZooKeeper:User to the user that "
            + "made it.",
        ZooKeeperError.NoNode => "A node of the store is missing in ZooKeeper: its data was deleted or lost.",
        ZooKeeperError.BadArguments => "ZooKeeper does not take the request: too many gateways are registered at one "
            + "resource, or a name is not valid.",
        _ => $"ZooKeeper answered {error} ({(int)error}).",
    };
}
