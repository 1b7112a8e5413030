using FenceGateway.TokenStore.Etcd.Wire;
using static FenceGateway.TokenStore.Etcd.Wire.Event.Types;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// What follows from a change of a key: a fresher cache, sessions that are gone, a hint to who listens.
/// </summary>
internal sealed class EtcdChanges(
    EtcdCalls etcd, EtcdLeases leases, GoneSessions gone, EtcdResourceCache cache, Action<ResourceChange> changed)
{
    public void Take(Event change)
    {
        try
        {
            TakeReadable(change);
        }
        catch (EtcdException)
        {
            // Something that no gateway wrote. Who asks for it is told; the others must hear of what comes after it.
        }
    }

    /// <summary>
    /// After events were lost: tells of every revocation that stands. The revision up to which that is complete.
    /// </summary>
    public async Task<long> ReadAnewAsync(CancellationToken cancellationToken)
    {
        var all = etcd.Keys.AllRevoked;
        var reply = await etcd.RangeAsync(
            new RangeRequest { Key = all, RangeEnd = EtcdKeys.EndOf(all), Limit = 1000 }, cancellationToken);
        foreach (var change in leases.ReadRevoked(reply.Kvs))
        {
            changed(change);
        }

        return reply.Header.Revision;
    }

    private void TakeReadable(Event change)
    {
        var isDeletion = change.Type == EventType.Delete;
        var (kv, revision) = (isDeletion ? null : change.Kv, change.Kv.ModRevision);
        var (kind, name) = etcd.Keys.Parse(change.Kv.Key);
        switch (kind)
        {
            case EtcdKeyKind.Mark:
                if (cache.Update(name, known => known.WithMark(kv, revision)).WritersBelowMark > EtcdChange.MaxNotices)
                {
                    Tell(name);
                }

                break;
            case EtcdKeyKind.Writers:
                _ = cache.Update(name, known => known.WithWriters(kv, revision));
                break;
            case EtcdKeyKind.Operator:
            case EtcdKeyKind.Revoked when !IsOwn(change.Kv, kv):
                Tell(name);
                break;
            case EtcdKeyKind.Live when isDeletion:
                leases.Forget(name);
                _ = gone.Add(name);
                break;
            case EtcdKeyKind.Ended when !isDeletion:
                _ = gone.Add(name, isClean: true);
                break;
        }
    }

    /// <summary>
    /// A gateway knows what it did itself: told of it, it would only ask again. A notice was put by a session, and is
    /// taken away by the session that it is for, as a rule.
    /// </summary>
    private bool IsOwn(KeyValue key, KeyValue? put) => leases.IsOwn(
        put is null ? etcd.Keys.SessionOfRevoked(key.Key) : EtcdStored.Read(put, EtcdStoredJson.Default.EtcdNotice).By);

    private void Tell(string name)
    {
        if (ResourceKey.TryCreate(name, out var resource))
        {
            changed(new ResourceChange(resource, cache.Get(name).Mark));
        }
    }
}
