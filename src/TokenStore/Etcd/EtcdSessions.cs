using System.Collections.Concurrent;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>The sessions that etcd listed in one step.</summary>
/// <param name="Live">Their leases run.</param>
/// <param name="Quiet">They ended with nothing in flight.</param>
internal sealed record EtcdSessionList(IReadOnlySet<string> Live, IReadOnlySet<string> Quiet)
{
    public static EtcdSessionList Read(EtcdKeys keys, EtcdKeyValue[]? kvs)
    {
        var (live, quiet) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        foreach (var kv in kvs ?? [])
        {
            var (kind, name) = keys.Parse(kv.Key);
            _ = kind switch
            {
                EtcdKeyKind.Live => live.Add(name),
                EtcdKeyKind.Ended => quiet.Add(name),
                _ => false,
            };
        }

        return new EtcdSessionList(live, quiet);
    }
}

/// <summary>
/// Since when sessions are gone, by this process's own monotonic clock: etcd has no clock that could be asked. What is gone
/// never comes back, so this may be remembered; that a session lives may not.
/// </summary>
internal sealed class EtcdSessions(TimeProvider clock)
{
    /// <summary>At the bound everything is forgotten: holds begin anew, which delays and never admits too early.</summary>
    private const int Capacity = 65_536;

    private const long Quietly = long.MinValue;

    private readonly ConcurrentDictionary<string, long> _goneSince = new(StringComparer.Ordinal);

    /// <summary>Since when a session is known to be gone, in monotonic ticks; null while it may live, longer ago than any hold when it
    /// left nothing that could still be applied.</summary>
    public long? GoneSince(string session) => _goneSince.TryGetValue(session, out var since) ? since : null;

    /// <summary>How long a session is known to be gone; null while it may live, <see cref="TimeSpan.MaxValue"/> when it left
    /// nothing that could still be applied.</summary>
    public TimeSpan? GoneFor(string session) => GoneSince(session) switch
    {
        null => null,
        Quietly => TimeSpan.MaxValue,
        { } since => clock.GetElapsedTime(since),
    };

    /// <summary>Compares the writers of a resource with the sessions listed in the same step.</summary>
    public void Observe(IReadOnlyList<EtcdWriter> writers, EtcdSessionList sessions)
    {
        foreach (var writer in writers)
        {
            if (sessions.Quiet.Contains(writer.Session))
            {
                IsGone(writer.Session, quiet: true);
            }
            else if (!sessions.Live.Contains(writer.Session))
            {
                IsGone(writer.Session, quiet: false);
            }
        }
    }

    /// <summary>Notes that a session is gone.</summary>
    public void IsGone(string session, bool quiet)
    {
        if (_goneSince.Count >= Capacity)
        {
            _goneSince.Clear();
        }

        if (quiet)
        {
            _goneSince[session] = Quietly;
        }
        else
        {
            _ = _goneSince.TryAdd(session, clock.GetTimestamp());
        }
    }
}
