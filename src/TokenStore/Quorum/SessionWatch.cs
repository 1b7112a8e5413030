namespace FenceGateway.TokenStore.Quorum;

/// <summary>
/// What this gateway has seen of all sessions, by its own monotonic clock; no clock of a node is asked. A session whose
/// heartbeats stood still at a majority for its time to live may be ended: none was answered by a majority in between,
/// since the two would share a node. It has ended once a majority says so, and that is for good.
/// </summary>
internal sealed class SessionWatch(int nodes, TimeProvider clock)
{
    /// <summary>
    /// At the bound everything is forgotten: waits begin anew, which delays and never admits too early.
    /// </summary>
    private const int Capacity = 65_536;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Watched> _sessions = new(StringComparer.Ordinal);
    private long _generation;

    /// <summary>
    /// A node has shown a session. What was seen in an earlier generation no longer counts: a node may have forgotten
    /// since that a session had ended there.
    /// </summary>
    public void See(int node, string session, SessionSight sight, TimeSpan timeToLive, long generation)
    {
        lock (_gate)
        {
            if (!CountsLocked(generation))
            {
                return;
            }

            if (!_sessions.TryGetValue(session, out var watched))
            {
                if (_sessions.Count >= Capacity)
                {
                    _sessions.Clear();
                }

                _sessions[session] = watched = new Watched(nodes);
            }

            watched.TimeToLive = timeToLive > watched.TimeToLive ? timeToLive : watched.TimeToLive;
            SeeLocked(watched, node, sight);
            watched.EndedClean |= sight.Life == SessionLife.EndedClean;
            if (watched.EndedAt is null && watched.Sights.Count(HasEnded) >= QuorumDecision.Majority(nodes))
            {
                watched.EndedAt = clock.GetTimestamp();
            }
        }
    }

    /// <summary>
    /// A node has shown all the sessions that it knows. One that is watched and not among them, because it left a
    /// registration at another node, stands still here as well as there: else it would never end.
    /// </summary>
    public void SeeOthersMissing(int node, IReadOnlySet<string> shown, long generation)
    {
        lock (_gate)
        {
            if (!CountsLocked(generation))
            {
                return;
            }

            foreach (var (session, watched) in _sessions)
            {
                if (watched is { EndedAt: null, EndedClean: false } && !shown.Contains(session))
                {
                    SeeLocked(watched, node, default);
                }
            }
        }
    }

    /// <summary>How long ago the session ended at a majority, as far as this gateway saw; null while it may live.
    /// <see cref="TimeSpan.MaxValue"/> when it left nothing behind.</summary>
    public TimeSpan? EndedFor(string session)
    {
        lock (_gate)
        {
            return !_sessions.TryGetValue(session, out var watched) ? null
                : watched.EndedClean ? TimeSpan.MaxValue
                : watched.EndedAt is { } ended ? clock.GetElapsedTime(ended)
                : null;
        }
    }

    /// <summary>
    /// Whether the session has not ended but stood still at a majority for its time to live; and how the nodes where it
    /// did showed it. It may be ended at those only, and only if that is still so there.
    /// </summary>
    public bool StandsStill(string session, out SessionSight?[] sights)
    {
        lock (_gate)
        {
            sights = [];
            if (!_sessions.TryGetValue(session, out var watched) || watched.EndedAt is not null || watched.EndedClean
                || watched.TimeToLive == TimeSpan.Zero)
            {
                return false;
            }

            var now = clock.GetTimestamp();
            sights =
            [
                .. watched.Sights.Select(seen =>
                    seen is { } s && clock.GetElapsedTime(s.Since, now) >= watched.TimeToLive
                        ? s.Sight
                        : (SessionSight?)null),
            ];
            return sights.Count(static sight => sight is not null) >= QuorumDecision.Majority(nodes);
        }
    }

    /// <summary>
    /// Whether what was seen in a generation counts; a later one makes everything before it not count.
    /// </summary>
    private bool CountsLocked(long generation)
    {
        if (generation > _generation)
        {
            _generation = generation;
            foreach (var known in _sessions.Values)
            {
                Array.Clear(known.Sights);
            }
        }

        return generation == _generation;
    }

    private void SeeLocked(Watched watched, int node, SessionSight sight)
    {
        if (watched.Sights[node] is not { } seen || seen.Sight != sight)
        {
            watched.Sights[node] = (sight, clock.GetTimestamp());
        }
    }

    private static bool HasEnded((SessionSight Sight, long Since)? seen) =>
        seen?.Sight.Life is SessionLife.Ended or SessionLife.EndedClean;

    private sealed class Watched(int nodes)
    {
        public (SessionSight Sight, long Since)?[] Sights { get; } = new (SessionSight, long)?[nodes];

        public TimeSpan TimeToLive { get; set; }

        public long? EndedAt { get; set; }

        public bool EndedClean { get; set; }
    }
}
