namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// What makes a session: with it, the session goes on over another connection. The password is a secret.
/// </summary>
internal sealed record SessionTicket(long Id, byte[] Password, TimeSpan Timeout)
{
    public static SessionTicket New { get; } = new(0, new byte[16], TimeSpan.Zero);
}

/// <summary>The first frame in each direction of a connection.</summary>
internal static class SessionHandshake
{
    public static byte[] Request(SessionTicket ticket, long lastZxidSeen, TimeSpan timeout) => new JuteWriter()
        .Int(0) // version of the protocol
        .Long(lastZxidSeen) // a server that is behind it closes the connection
        .Int((int)Math.Min(timeout.TotalMilliseconds, int.MaxValue))
        .Long(ticket.Id)
        .Buffer(ticket.Password)
        .Bool(false) // not satisfied with a server that is cut off from the others
        .ToFrame();

    /// <summary>The session that was granted; null when the one asked for has ended.</summary>
    public static SessionTicket? Reply(ReadOnlySpan<byte> frame)
    {
        var reader = new JuteReader(frame);
        _ = reader.Int();
        var timeout = reader.Int();
        var id = reader.Long();
        var password = reader.Buffer().ToArray();
        return timeout > 0 ? new SessionTicket(id, password, TimeSpan.FromMilliseconds(timeout)) : null;
    }
}
