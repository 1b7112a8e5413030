using FenceGateway.TokenStore.Etcd.Wire;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>The sessions that etcd listed in one step.</summary>
/// <param name="Live">Their leases run.</param>
/// <param name="Quiet">They ended with nothing in flight.</param>
internal sealed record EtcdSessionList(IReadOnlySet<string> Live, IReadOnlySet<string> Quiet)
{
    public static EtcdSessionList Read(EtcdKeys keys, IEnumerable<KeyValue> kvs)
    {
        var (live, quiet) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        foreach (var kv in kvs)
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

    /// <summary>Compares the writers of a resource, read in the same step, with the sessions, and tells which are gone.</summary>
    public void Tell(GoneSessions gone, IReadOnlyList<EtcdWriter> writers)
    {
        foreach (var writer in writers)
        {
            var quiet = Quiet.Contains(writer.Session);
            if (quiet || !Live.Contains(writer.Session))
            {
                _ = gone.Add(writer.Session, quiet);
            }
        }
    }
}
