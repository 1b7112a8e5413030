using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// What an admitted write holds from its admission to its end: it is counted by the fence, asked for before each byte
/// leaves, and given back once. Part of the request's own object.
/// </summary>
internal struct WriteTicket
{
    private GatewaySession? _session;

    /// <summary>Whether the fence counts the write now, over all its attempts.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>
    /// Whether the fence bounds the write too: it outlives its client, and ends by its policy's <c>WriteTimeout</c> and
    /// with its session. A policy that only reports lets it go as if there were no fence.
    /// </summary>
    public bool IsBounded { get; private set; }

    /// <summary>When it was admitted, in monotonic ticks.</summary>
    public long AdmittedAt { get; private set; }

    /// <summary>Cancelled when the session ends that a bounded write was admitted in.</summary>
    public readonly CancellationToken SessionEnded =>
        IsBounded && _session is { } session ? session.Ended : CancellationToken.None;

    /// <summary>Whether the session that it was admitted in is over.</summary>
    public readonly bool IsSessionOver => _session is { IsAlive: false };

    /// <summary>
    /// Whether it may still go, looked at before each piece of it leaves: not when its session is over by any clock.
    /// The process, or the machine, may have stood still since it was looked at last, and nobody has been told yet.
    /// </summary>
    public readonly bool MayGo => !IsBounded || _session is not { IsAliveByEveryClock: false };

    /// <summary>
    /// The write was admitted in <paramref name="session"/>; null where it ends with nothing but the process.
    /// </summary>
    public void Begin(GatewaySession? session, long admittedAt, FencingMode mode) =>
        (_session, AdmittedAt, IsOpen, IsBounded) = (session, admittedAt, true, mode == FencingMode.Enforce);

    /// <summary>Whoever gets true tells the fence how the write ended.</summary>
    public bool TryEnd()
    {
        var wasOpen = IsOpen;
        (IsOpen, IsBounded) = (false, false);
        return wasOpen;
    }
}
