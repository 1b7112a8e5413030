using FenceGateway.TokenStore.Etcd.Wire;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>The sessions that etcd listed in one step.</summary>
/// <param name="Live">Their leases run.</param>
/// <param name="EndedClean">They ended with nothing in flight.</param>
internal sealed record EtcdSessionList(IReadOnlySet<string> Live, IReadOnlySet<string> EndedClean)
{
    public static EtcdSessionList Read(EtcdKeys keys, IEnumerable<KeyValue> kvs)
    {
        var (live, isClean) = (
            new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        foreach (var kv in kvs)
        {
            var (kind, name) = keys.Parse(kv.Key);
            _ = kind switch
            {
                EtcdKeyKind.Live => live.Add(name),
                EtcdKeyKind.Ended => isClean.Add(name),
                _ => false,
            };
        }

        return new EtcdSessionList(live, isClean);
    }

    /// <summary>
    /// Compares the writers of a resource, read in the same step, with the sessions, and tells which are gone.
    /// </summary>
    public void Tell(GoneSessions gone, IReadOnlyList<EtcdWriter> writers)
    {
        foreach (var writer in writers)
        {
            var isClean = EndedClean.Contains(writer.Session);
            if (isClean || !Live.Contains(writer.Session))
            {
                _ = gone.Add(writer.Session, isClean);
            }
        }
    }
}
