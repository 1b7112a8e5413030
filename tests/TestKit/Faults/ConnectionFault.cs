namespace FenceGateway.TestKit;

/// <summary>What a <see cref="FaultyService"/> does with a connection, before any request on it.</summary>
public enum ConnectionFault
{
    /// <summary>It is served.</summary>
    None,

    /// <summary>It is accepted and never read: what the peer sends stays in the socket's buffers.</summary>
    NeverRead,

    /// <summary>It is reset as soon as the first bytes of a request are there, which are not read.</summary>
    ResetUnread,
}
