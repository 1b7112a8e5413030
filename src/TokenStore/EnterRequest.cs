namespace FenceGateway.TokenStore;

/// <summary>Asks a store to raise a mark and to register a session as a writer.</summary>
/// <param name="Session">The session; it has to be alive.</param>
/// <param name="Resource">The resource.</param>
/// <param name="Token">The token presented.</param>
/// <param name="Oldest">The lowest token that this gateway still has in flight or in doubt there, else
/// <paramref name="Token"/>.</param>
/// <param name="Sequence">Grows with every step of this gateway, over all resources; from 1. A step that is carried out
/// late, after a later one of the same session, changes nothing.</param>
/// <param name="InDoubtHold">How long writes of a session that ended hold newer tokens back; 0 to
/// <see cref="LongestHold"/>.</param>
public readonly record struct EnterRequest(
    string Session, ResourceKey Resource, FencingToken Token, FencingToken Oldest, long Sequence, TimeSpan InDoubtHold)
{
    /// <summary>The longest hold: 24 hours. A store may forget that a session has ended some time after that.</summary>
    public static readonly TimeSpan LongestHold = TimeSpan.FromHours(24);

    /// <summary>How long a store remembers that a session has ended: longer than any hold.</summary>
    internal static readonly TimeSpan EndedIsKept = LongestHold + TimeSpan.FromHours(1);

    /// <summary>Refuses a request that no caller may make.</summary>
    /// <exception cref="ArgumentException">It lacks something, the oldest token is above the token, or the hold is out
    /// of its bounds.</exception>
    public static void ThrowIfInvalid(in EnterRequest request)
    {
        if (request.Session is null || request.Resource.Value is null || request.Oldest.Value < 1
            || request.Token.Value < request.Oldest.Value)
        {
            throw new ArgumentException(
                "A request needs a session, a resource, a token, and an oldest token not above it.", nameof(request));
        }

        ThrowIfInvalid(request.InDoubtHold, nameof(request));
    }

    internal static void ThrowIfInvalid(TimeSpan inDoubtHold, string parameter)
    {
        if (inDoubtHold < TimeSpan.Zero || inDoubtHold > LongestHold)
        {
            throw new ArgumentOutOfRangeException(
                parameter, inDoubtHold, $"The hold of writes in doubt is 0 to {LongestHold.TotalHours} hours.");
        }
    }
}

/// <summary>What the store answered.</summary>
/// <param name="Status">Admitted, draining or stale.</param>
/// <param name="Mark">The mark, durable: the token asked for, or the higher one that makes it stale.</param>
/// <param name="RetryAfter">While draining: how much longer writes of sessions that ended hold this token back; zero
/// when none does.</param>
/// <param name="HeldElsewhere">While draining: whether a session that lives, other than the asking one, may have older
/// writes on their way.</param>
public readonly record struct EnterReply(
    EnterStatus Status, FencingToken Mark, TimeSpan RetryAfter = default, bool HeldElsewhere = false);

/// <summary>A session's registration at a resource.</summary>
/// <param name="Resource">The resource.</param>
/// <param name="Sequence">At least that of the latest step that may have made it; a later step's registration
/// stays.</param>
public readonly record struct Registration(ResourceKey Resource, long Sequence)
{
    /// <summary>So many are withdrawn at once, at most.</summary>
    public const int MaxBatch = 256;
}

/// <summary>A mark may have risen, or a writer may have gone.</summary>
/// <param name="Resource">Where.</param>
/// <param name="Mark">The mark, 0 when it is not known. It may not be durable (yet): it seals older tokens, and proves
/// nothing.</param>
/// <param name="Risen">Whether certainly nothing but the mark has changed: nobody who knows it already need ask
/// again.</param>
public readonly record struct ResourceChange(ResourceKey Resource, long Mark, bool Risen = false);

/// <summary>The answer to a heartbeat.</summary>
/// <param name="Alive">Whether the session lives, from now on for its time to live.</param>
/// <param name="Revoked">Resources at which the session is registered below the mark: at most <see cref="MaxRevoked"/>,
/// the rest with the next heartbeat. Told as a notice is: no proof of the mark.</param>
public readonly record struct Heartbeat(bool Alive, IReadOnlyList<ResourceChange> Revoked)
{
    /// <summary>So many revocations are told at once, at most.</summary>
    public const int MaxRevoked = 1000;

    /// <summary>The session has ended.</summary>
    public static Heartbeat Ended { get; } = new(false, []);
}
