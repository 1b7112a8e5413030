namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// How a request ended. Numbers are the protocol's own (KeeperException.Code), but for <see cref="NotSent"/>.
/// </summary>
internal enum ZooKeeperError
{
    /// <summary>
    /// Not of the protocol: it never left this process, or the client has no session any more to send it in.
    /// </summary>
    NotSent = 1,
    Ok = 0,
    SystemError = -1,
    RuntimeInconsistency = -2,
    DataInconsistency = -3,

    /// <summary>The connection was lost after it had begun to leave: it may be carried out, now or later.</summary>
    ConnectionLoss = -4,
    MarshallingError = -5,
    Unimplemented = -6,
    OperationTimeout = -7,
    BadArguments = -8,
    NoNode = -101,
    NoAuth = -102,
    BadVersion = -103,
    NoChildrenForEphemerals = -108,
    NodeExists = -110,
    NotEmpty = -111,

    /// <summary>The session has ended, for good; the request was not carried out.</summary>
    SessionExpired = -112,
    InvalidAcl = -114,
    AuthFailed = -115,
    SessionMoved = -118,
    NotReadOnly = -119,
    QuotaExceeded = -125,
    Throttled = -127,
}

internal static class ZooKeeperErrorExtensions
{
    /// <summary>Whether the request was certainly not carried out, and never will be.</summary>
    public static bool IsNotTaken(this ZooKeeperError error) =>
        error is ZooKeeperError.NotSent or ZooKeeperError.MarshallingError
        or ZooKeeperError.Unimplemented or ZooKeeperError.BadArguments or ZooKeeperError.NoNode or ZooKeeperError.NoAuth
        or ZooKeeperError.BadVersion or ZooKeeperError.NoChildrenForEphemerals or ZooKeeperError.NodeExists
        or ZooKeeperError.NotEmpty
        or ZooKeeperError.SessionExpired or ZooKeeperError.InvalidAcl or ZooKeeperError.AuthFailed
        or ZooKeeperError.SessionMoved
        or ZooKeeperError.NotReadOnly or ZooKeeperError.QuotaExceeded or ZooKeeperError.Throttled;
}
