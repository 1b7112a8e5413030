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
    /// <summary>Lost races in a row before a call gives up. Each is somebody else's step that was taken.</summary>
    public const int MaxAttempts = 64;

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
        for (var attempt = 0; attempt < MaxAttempts && before.MarkRevision == asked; attempt++)
        {
            var after = EtcdEnter.SetMark(before, request, gone, clock);
            if (after is null)
            {
                return false;
            }

            var note = new EtcdOperatorMark(request.Mark, request.Reason, request.Actor, after.AdvancedAt);
            var reply = await etcd.TransactAsync(
                EtcdChange.Unchanged(etcd.Keys, before),
                [
                    .. EtcdChange.Between(etcd.Keys, before, after, request.Session, rewriteMark: true),
                    EtcdChange.Put(etcd.Keys.Operator(before.Name), note, EtcdStoredJson.Default.EtcdOperatorMark),
                ],
                etcd.Reads(before.Name),
                cancellationToken);
            if (reply.Succeeded)
            {
                var revision = reply.Header.Revision;
                cache.Learn(
                    after with { MarkRevision = revision, WritersRevision = 0, KnownAt = (revision, revision) });
                return true;
            }

            before = EtcdCalls.Refresh(before.Name, reply);
            etcd.Sessions(reply, 2).Tell(gone, before.Writers);
        }

        return false;
    }

    public async Task<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        // The operator spoke of those who had ended by now: one that ends while this call tries again stays.
        var before = await ReadAsync(resource.Value, cancellationToken);
        var ended = before.Writers.Where(w => gone.GoneFor(w.Session) is not null).ToHashSet();
        var resolved = ended.Count(w => gone.GoneFor(w.Session) != TimeSpan.MaxValue);
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var kept = before.Writers.Where(w => !ended.Contains(w)).ToArray();
            if (kept.Length == before.Writers.Count)
            {
                return 0;
            }

            var after = before with { Writers = kept };
            var reply = await etcd.TransactAsync(
                EtcdChange.Unchanged(etcd.Keys, before),
                EtcdChange.Between(etcd.Keys, before, after, by: ""),
                etcd.Reads(before.Name),
                cancellationToken);
            if (reply.Succeeded)
            {
                cache.Learn(after.AppliedAt(reply.Header.Revision, before));
                return resolved;
            }

            before = EtcdCalls.Refresh(before.Name, reply);
            etcd.Sessions(reply, 2).Tell(gone, before.Writers);
        }

        throw TooManyRaces(resource.Value);
    }

    public static EtcdException TooManyRaces(string resource) =>
        new($"Others changed {resource} {MaxAttempts} times while this call went on.", notTaken: true);

    private async Task WithdrawBatchAsync(string session, Registration[] batch, CancellationToken cancellationToken)
    {
        var known = Array.ConvertAll(batch, r => cache.Get(r.Resource.Value));
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            List<Compare> compare = [];
            List<RequestOp> writes = [];
            var after = new EtcdResource[batch.Length];
            for (var i = 0; i < batch.Length; i++)
            {
                after[i] = EtcdEnter.Withdraw(known[i], session, batch[i].Sequence);
                compare.Add(EtcdChange.IsAt(etcd.Keys.Writers(known[i].Name), known[i].WritersRevision));
                if (!ReferenceEquals(after[i], known[i]))
                {
                    writes.AddRange(EtcdChange.Withdrawal(etcd.Keys, after[i], session));
                }
            }

            RequestOp[] reads =
            [
                .. known.SelectMany(r => new[] { etcd.Keys.Mark(r.Name), etcd.Keys.Writers(r.Name) })
                    .Select(EtcdCalls.Read),
            ];
            var reply = await etcd.TransactAsync(compare, writes, reads, cancellationToken);
            var revision = reply.Header.Revision;
            for (var i = 0; i < batch.Length; i++)
            {
                known[i] = reply.Succeeded
                    ? after[i].WithdrawnAt(revision, known[i])
                    : EtcdCalls.Refresh(known[i].Name, reply, 2 * i);
                cache.Learn(known[i]);
            }

            if (reply.Succeeded)
            {
                return;
            }
        }

        throw TooManyRaces(batch[0].Resource.Value);
    }

    private async Task<EtcdResource> ReadAsync(string name, CancellationToken cancellationToken)
    {
        var reply = await etcd.TransactAsync([], etcd.Reads(name), [], cancellationToken);
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
