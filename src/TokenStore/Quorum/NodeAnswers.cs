using FenceGateway.TokenStore.Redis;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>What one node did with a step.</summary>
internal enum NodeEnterStatus
{
    /// <summary>The mark is raised, and the session is registered at the token.</summary>
    Accepted,

    /// <summary>
    /// The mark is raised; an older write may be in flight, so the session is not registered at the token.
    /// </summary>
    Held,

    /// <summary>A higher mark is known here.</summary>
    Stale,

    /// <summary>A later step of the session was here before.</summary>
    Overtaken,

    /// <summary>The session does not live here.</summary>
    SessionLost,
}

/// <summary>One node's answer to a step.</summary>
/// <param name="Status">What it did.</param>
/// <param name="Mark">Its mark.</param>
/// <param name="Writers">The other sessions registered there.</param>
/// <param name="Had">Whether the session was registered at this token before: it may have writes with it in
/// flight.</param>
internal sealed record NodeEnter(NodeEnterStatus Status, long Mark, IReadOnlyList<NodeWriter> Writers, bool Had = false)
{
    public static NodeEnter Lost { get; } = new(NodeEnterStatus.SessionLost, 0, []);
}

/// <summary>What a node knows of a session.</summary>
internal enum SessionLife
{
    Unknown,
    Alive,
    Ended,

    /// <summary>Ended, and its owner has vouched that nothing of it is in flight.</summary>
    EndedClean,
}

/// <summary>A session as one node shows it.</summary>
/// <param name="Life">Whether it lives there.</param>
/// <param name="Beats">The number of its latest heartbeat there; another one means that it was alive in
/// between.</param>
internal readonly record struct SessionSight(SessionLife Life, long Beats)
{
    /// <summary>Reads <c>a:ttl:beats</c>; nothing at all is a session that the node does not know.</summary>
    public static (SessionSight Sight, TimeSpan TimeToLive) Read(string? record)
    {
        if (string.IsNullOrEmpty(record))
        {
            return (default, TimeSpan.Zero);
        }

        var parts = record.Split(':');
        var life = parts[0] switch { "a" => SessionLife.Alive, "e" => SessionLife.Ended, _ => SessionLife.EndedClean };
        return (new SessionSight(life, Parse(parts[2])), TimeSpan.FromMilliseconds(Parse(parts[1])));
    }

    private static long Parse(string digits) => long.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture);
}

/// <summary>A registration at one node.</summary>
/// <param name="Session">Whose.</param>
/// <param name="Token">The lowest token it may have in flight.</param>
/// <param name="Sequence">Of the step that made it.</param>
/// <param name="TimeToLive">Of the session, kept with the registration because the node may forget the session
/// first.</param>
/// <param name="Sight">The session, as this node knows it.</param>
internal readonly record struct NodeWriter(
    string Session, long Token, long Sequence, TimeSpan TimeToLive, SessionSight Sight)
{
    /// <summary>
    /// Reads session, registration and session's record, one after the other, from <paramref name="start"/>.
    /// </summary>
    public static NodeWriter[] ReadAll(RedisResult[] parts, int start)
    {
        if (parts.Length <= start)
        {
            return [];
        }

        var writers = new NodeWriter[(parts.Length - start) / 3];
        for (var i = 0; i < writers.Length; i++)
        {
            var registration = (string)parts[start + 3 * i + 1]!;
            writers[i] = new NodeWriter(
                (string)parts[start + 3 * i]!,
                RedisKeys.Number(registration.AsSpan(0, 19)), RedisKeys.Number(registration.AsSpan(20, 19)),
                TimeSpan.FromMilliseconds(RedisKeys.Number(registration.AsSpan(40))),
                SessionSight.Read((string?)parts[start + 3 * i + 2]).Sight);
        }

        return writers;
    }
}
