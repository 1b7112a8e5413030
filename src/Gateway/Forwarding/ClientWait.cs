namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// How long the gateway has waited for the client in one direction of an attempt. A wait that the attempt ended in
/// stays open: it says whom the time ran out on.
/// </summary>
internal struct ClientWait
{
    private long _since;
    private long _ticks;

    /// <summary>Whether the client is being waited for, or was when the attempt ended.</summary>
    public readonly bool IsOpen => _since != 0;

    public void Begin(TimeProvider time) => _since = time.GetTimestamp();

    public void End(TimeProvider time)
    {
        if (IsOpen)
        {
            (_ticks, _since) = (Until(time.GetTimestamp()), 0);
        }
    }

    /// <summary>All of it until <paramref name="now"/>, in monotonic ticks.</summary>
    public readonly long Until(long now) => _ticks + (IsOpen ? now - _since : 0);
}
