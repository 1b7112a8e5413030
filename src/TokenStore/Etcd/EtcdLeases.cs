using System.Collections.Concurrent;
using FenceGateway.TokenStore.Etcd.Wire;
using Google.Protobuf;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// Sessions: a lease each, with the session's key bound to it. etcd deletes the key when the lease ends, in its own
/// log, so that a session ends for everybody at one revision.
/// </summary>
internal sealed class EtcdLeases(EtcdCalls etcd)
{
    /// <summary>How often a heartbeat asks again when etcd's leader changed meanwhile.</summary>
    private const int MaxAttempts = 3;

    private readonly ConcurrentDictionary<string, long> _leases = new(StringComparer.Ordinal);

    /// <summary>Starts a session; what etcd granted, and the revision it began at.</summary>
    public async Task<(TimeSpan TimeToLive, long Revision)> StartAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        var lease = await etcd.GrantLeaseAsync(timeToLive, cancellationToken);
        var key = etcd.Keys.Live(session);
        var value = ByteString.CopyFromUtf8(lease.TimeToLive.TotalSeconds.ToString(CultureInfo.InvariantCulture));
        var reply = await etcd.TransactAsync(
            [EtcdChange.IsAbsent(key), EtcdChange.IsAbsent(etcd.Keys.Ended(session))],
            [EtcdChange.Put(key, value, lease.Id)],
            [],
            cancellationToken);
        if (!reply.Succeeded)
        {
            throw new EtcdException("The session was used before.", notTaken: true);
        }

        _leases[session] = lease.Id;
        return (lease.TimeToLive, reply.Header.Revision);
    }

    /// <summary>Whether the session was started here and has not been ended yet.</summary>
    public bool IsOwn(string session) => _leases.ContainsKey(session);

    /// <summary>The session is known to have ended.</summary>
    public void Forget(string session) => _ = _leases.TryRemove(session, out _);

    /// <summary>
    /// Prolongs a session. A leader that was replaced without knowing it may still answer "prolonged" for a lease that
    /// the new leader lets run out. So the lease is prolonged first, then read through a majority: if the Raft term has
    /// not changed in between, it was the leader that prolonged it.
    /// </summary>
    public async Task<EtcdBeat> BeatAsync(string session, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var (prolonged, term) = await FindLeaseAsync(session, cancellationToken) is { } lease
                ? await etcd.KeepLeaseAsync(lease, cancellationToken)
                : default;
            var revoked = etcd.Keys.RevokedOf(session);
            var reply = await etcd.TransactAsync(
                [],
                [
                    EtcdCalls.Read(etcd.Keys.Live(session)),
                    new RequestOp
                    {
                        RequestRange =
                            new RangeRequest
                                { Key = revoked, RangeEnd = EtcdKeys.EndOf(revoked), Limit = Heartbeat.MaxRevoked },
                    },
                    EtcdCalls.Read(etcd.Keys.Epoch),
                ],
                [],
                cancellationToken);
            if (EtcdCalls.Found(reply, 0) is null)
            {
                Forget(session);
                return new EtcdBeat(Heartbeat.Ended, reply.Header.Revision, EtcdCalls.Found(reply, 2));
            }

            if (prolonged && reply.Header.RaftTerm == term)
            {
                return new EtcdBeat(
                    new Heartbeat(Alive: true, ReadRevoked(EtcdCalls.All(reply, 1))), reply.Header.Revision,
                    EtcdCalls.Found(reply, 2));
            }
        }

        throw new EtcdException(
            "etcd changes its leader: it is not certain that the session was prolonged.", notTaken: false);
    }

    public async Task EndAsync(string session, bool isClean, CancellationToken cancellationToken)
    {
        var lease = await FindLeaseAsync(session, cancellationToken);
        if (isClean)
        {
            // A registration does not say which resources it is at, so the session is remembered instead; once
            // forgotten, what it left counts as in doubt. Deleting its notices tells everybody who waits for it.
            var memory = await etcd.GrantLeaseAsync(EnterRequest.EndedIsKept, cancellationToken);
            _ = await etcd.TransactAsync(
                [],
                [
                    EtcdChange.Put(etcd.Keys.Ended(session), ByteString.Empty, memory.Id),
                    EtcdChange.Delete(etcd.Keys.Live(session)),
                    EtcdChange.DeleteAll(etcd.Keys.RevokedOf(session)),
                ],
                [],
                cancellationToken);
        }

        if (lease is { } id)
        {
            await etcd.RevokeLeaseAsync(id, cancellationToken);
        }

        Forget(session);
    }

    public IReadOnlyList<ResourceChange> ReadRevoked(IEnumerable<KeyValue> kvs)
    {
        List<ResourceChange> changes = [];
        foreach (var kv in kvs)
        {
            if (etcd.Keys.Parse(kv.Key) is (EtcdKeyKind.Revoked, var name)
                && ResourceKey.TryCreate(name, out var resource))
            {
                changes.Add(new ResourceChange(resource, EtcdStored.Read(kv, EtcdStoredJson.Default.EtcdNotice).Mark));
            }
        }

        return changes;
    }

    /// <summary>The lease of a session that lives; it may have been started by another process.</summary>
    private async Task<long?> FindLeaseAsync(string session, CancellationToken cancellationToken)
    {
        if (_leases.TryGetValue(session, out var known))
        {
            return known;
        }

        var reply = await etcd.TransactAsync([], [EtcdCalls.Read(etcd.Keys.Live(session))], [], cancellationToken);
        return EtcdCalls.Found(reply, 0)?.Lease is > 0 and var lease ? _leases.GetOrAdd(session, lease) : null;
    }
}

/// <param name="Reply">The answer to the heartbeat.</param>
/// <param name="Revision">etcd's revision.</param>
/// <param name="Epoch">The key of the epoch; null when it is absent.</param>
internal sealed record EtcdBeat(Heartbeat Reply, long Revision, KeyValue? Epoch);
