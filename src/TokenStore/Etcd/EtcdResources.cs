using FenceGateway.TokenStore.Etcd.Wire;
using static FenceGateway.TokenStore.Etcd.Wire.RangeRequest.Types;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// Marks and registrations, but for the step itself (<see cref="EtcdSteps"/>). Each change is one transaction: it
/// compares the revisions of the state that it was decided on and writes the next state, or reads the present one for
/// another try.
/// </summary>
internal sealed class EtcdResources(EtcdCalls etcd, GoneSessions gone, EtcdResourceCache cache, TimeProvider clock)
{
    /// <summary>
    /// Registrations withdrawn in one transaction: what it reads and writes stays below etcd's bound.
    /// </summary>
    private const int WithdrawBatch = 40;

    public async Task WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken)
    {
        // etcd refuses a transaction that writes a key twice.
        var once = registrations.GroupBy(r => r.Resource).Select(g => new Registration(g.Key, g.Max(r => r.Sequence)));
        foreach (var batch in once.Chunk(WithdrawBatch))
        {
            try
            {
                await WithdrawBatchAsync(session, batch, cancellationToken);
            }
            catch (EtcdException e) when (registrations.Count > WithdrawBatch)
            {
                throw new EtcdException(e.Message, notTaken: false, e.Code, e);
            }
        }
    }

    public async Task<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        var found = await ReadAsync(resource.Value, cancellationToken);
        return found.MarkRevision == 0 ? null : Describe(resource, found);
    }

    public async Task<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken)
    {
        var prefix = etcd.Keys.Mark(query.Prefix);
        var page = await etcd.RangeAsync(
            new RangeRequest
            {
                Key = prefix,
                RangeEnd = EtcdKeys.EndOf(prefix),
                Limit = query.Limit,
                SortOrder = SortOrder.Descend,
                SortTarget = SortTarget.Mod,
                MaxModRevision = query.Before == long.MaxValue ? 0 : Math.Max(1, query.Before - 1),
            },
            cancellationToken);
        var found = new List<EtcdResource>();
        foreach (var kv in page.Kvs)
        {
            var (kind, name) = etcd.Keys.Parse(kv.Key);
            if (kind == EtcdKeyKind.Mark && kv.ModRevision < query.Before && ResourceKey.IsValid(name))
            {
                found.Add(new EtcdResource(name).WithMark(kv, page.Header.Revision));
            }
        }

        List<MarkRecord> records = [];
        foreach (var batch in found.Chunk(EtcdChange.MaxOperations - 1))
        {
            var reads = batch.Select(r => EtcdCalls.Read(etcd.Keys.Writers(r.Name)));
            var reply = await etcd.TransactAsync([], [etcd.ReadSessions(), .. reads], [], cancellationToken);
            var live = etcd.Sessions(reply, 0);
            for (var i = 0; i < batch.Length; i++)
            {
                var resource = batch[i].WithWriters(EtcdCalls.Found(reply, i + 1), reply.Header.Revision);
                live.Tell(gone, resource.Writers);
                _ = ResourceKey.TryCreate(resource.Name, out var key);
                records.Add(Describe(key, resource));
            }
        }

        return records;
    }

    public async Task<long> CountAsync(CancellationToken cancellationToken)
    {
        var all = etcd.Keys.Mark("");
        var counted = new RangeRequest { Key = all, RangeEnd = EtcdKeys.EndOf(all), CountOnly = true };
        return (await etcd.RangeAsync(counted, cancellationToken)).Count;
    }

    public async Task<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        var before = await ReadAsync(request.Resource.Value, cancellationToken);
        var asked = before.MarkRevision;
        return await CompareAndSet.RunAsync(before, TryAsync, () => TooManyRaces(before.Name));

        async ValueTask<Attempt<EtcdResource, bool>> TryAsync(EtcdResource now)
        {
            if (now.MarkRevision != asked || EtcdEnter.SetMark(now, request, gone, clock) is not { } after)
            {
                return Attempt<EtcdResource, bool>.Done(false);
            }

            var note = new EtcdOperatorMark(request.Mark, request.Reason, request.Actor, after.AdvancedAt);
            var reply = await etcd.TransactAsync(
                EtcdChange.Unchanged(etcd.Keys, now),
                [
                    .. EtcdChange.Between(etcd.Keys, now, after, request.Session, rewriteMark: true),
                    EtcdChange.Put(etcd.Keys.Operator(now.Name), note, EtcdStoredJson.Default.EtcdOperatorMark),
                ],
                etcd.Reads(now.Name),
                cancellationToken);
            if (!reply.Succeeded)
            {
                return Attempt<EtcdResource, bool>.Again(Refresh(now.Name, reply));
            }

            var revision = reply.Header.Revision;
            cache.Learn(after with { MarkRevision = revision, WritersRevision = 0, KnownAt = (revision, revision) });
            return Attempt<EtcdResource, bool>.Done(true);
        }
    }

    public async Task<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        // The operator spoke of those who had ended by now: one that ends while this call tries again stays.
        var before = await ReadAsync(resource.Value, cancellationToken);
        var ended = before.Writers.Where(w => gone.GoneFor(w.Session) is not null).ToHashSet();
        var resolved = ended.Count(w => gone.GoneFor(w.Session) != TimeSpan.MaxValue);
        return await CompareAndSet.RunAsync(before, TryAsync, () => TooManyRaces(before.Name));

        async ValueTask<Attempt<EtcdResource, int>> TryAsync(EtcdResource now)
        {
            var kept = now.Writers.Where(w => !ended.Contains(w)).ToArray();
            if (kept.Length == now.Writers.Count)
            {
                return Attempt<EtcdResource, int>.Done(0);
            }

            var after = now with { Writers = kept };
            var reply = await etcd.TransactAsync(
                EtcdChange.Unchanged(etcd.Keys, now),
                EtcdChange.Between(etcd.Keys, now, after, by: ""),
                etcd.Reads(now.Name),
                cancellationToken);
            if (!reply.Succeeded)
            {
                return Attempt<EtcdResource, int>.Again(Refresh(now.Name, reply));
            }

            cache.Learn(after.AppliedAt(reply.Header.Revision, now));
            return Attempt<EtcdResource, int>.Done(resolved);
        }
    }

    public static EtcdException TooManyRaces(string resource) =>
        new($"Others changed {resource} {CompareAndSet.MaxAttempts} times while this call went on.", notTaken: true);

    private async Task WithdrawBatchAsync(
        string session, Registration[] batch, CancellationToken cancellationToken)
    {
        var known = Array.ConvertAll(batch, r => cache.Get(r.Resource.Value));
        _ = await CompareAndSet.RunAsync(known, TryAsync, () => TooManyRaces(batch[0].Resource.Value));

        async ValueTask<Attempt<EtcdResource[], bool>> TryAsync(EtcdResource[] now)
        {
            List<Compare> compare = [];
            List<RequestOp> writes = [];
            var after = new EtcdResource[batch.Length];
            for (var i = 0; i < batch.Length; i++)
            {
                after[i] = EtcdEnter.Withdraw(now[i], session, batch[i].Sequence);
                compare.Add(EtcdChange.IsAt(etcd.Keys.Writers(now[i].Name), now[i].WritersRevision));
                if (!ReferenceEquals(after[i], now[i]))
                {
                    writes.AddRange(EtcdChange.Withdrawal(etcd.Keys, after[i], session));
                }
            }

            RequestOp[] reads =
            [
                .. now.SelectMany(r => new[] { etcd.Keys.Mark(r.Name), etcd.Keys.Writers(r.Name) })
                    .Select(EtcdCalls.Read),
            ];
            var reply = await etcd.TransactAsync(compare, writes, reads, cancellationToken);
            for (var i = 0; i < batch.Length; i++)
            {
                now[i] = reply.Succeeded
                    ? after[i].WithdrawnAt(reply.Header.Revision, now[i])
                    : EtcdCalls.Refresh(now[i].Name, reply, 2 * i);
                cache.Learn(now[i]);
            }

            return reply.Succeeded
                ? Attempt<EtcdResource[], bool>.Done(true)
                : Attempt<EtcdResource[], bool>.Again(now);
        }
    }

    private async Task<EtcdResource> ReadAsync(string name, CancellationToken cancellationToken) =>
        Refresh(name, await etcd.TransactAsync([], etcd.Reads(name), [], cancellationToken));

    /// <summary>The resource as a reply shows it, and who is gone of those registered there.</summary>
    private EtcdResource Refresh(string name, TxnResponse reply)
    {
        var resource = EtcdCalls.Refresh(name, reply);
        etcd.Sessions(reply, 2).Tell(gone, resource.Writers);
        return resource;
    }

    private MarkRecord Describe(ResourceKey key, EtcdResource resource)
    {
        var writers = resource.Writers
            .Select(w => new WriterRecord(w.Session, new FencingToken(w.Token), gone.GoneFor(w.Session)))
            .Where(w => w.EndedFor != TimeSpan.MaxValue);
        return new MarkRecord(key, resource.Mark, resource.AdvancedAt, resource.MarkRevision, [.. writers]);
    }
}
