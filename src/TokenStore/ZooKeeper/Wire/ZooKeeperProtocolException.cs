namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>The peer does not speak as ZooKeeper does. The connection is of no use any more.</summary>
internal sealed class ZooKeeperProtocolException(string message, Exception? innerException = null) : Exception(
    message, innerException);
