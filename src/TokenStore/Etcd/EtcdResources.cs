using FenceGateway.Fencing;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// Marks and registrations. Each change is one transaction: it compares the revisions of the state that it was decided on and
/// writes the next state, or reads the present one for another try.
/// </summary>
internal sealed class EtcdResources(EtcdCalls etcd, EtcdSessions sessions, EtcdResourceCache cache, TimeProvider clock)
{
    /// <summary>Lost races in a row before a call gives up.</summary>
    private const int MaxAttempts = 16;

    /// <summary>After so many lost races the callers of this process wait for each other, so that each gets its turn.</summary>
    private const int FreeAttempts = 2;

    /// <summary>Registrations withdrawn in one transaction: what it reads and writes stays below etcd's bound.</summary>
    private const int WithdrawBatch = 40;

    private readonly SemaphoreSlim[] _lines = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1, 1))];

    public async Task<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        EnterReply? applied = null;
        try
        {
            return await TryEnterAsync(request, 0, FreeAttempts, reply => applied = reply, cancellationToken)
                ?? await EnterInLineAsync(request, reply => applied = reply, cancellationToken);
        }
        catch (Exception e) when (applied is not null && e is EtcdException or TokenStoreUnavailableException)
        {
            // The first step was taken and its answer is still true; only a better one could not be had.
            return applied!.Value;
        }
    }

    public async Task WithdrawAsync(string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken)
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
                throw new EtcdException(e.Message, e.Code, notTaken: false, e);
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
            new EtcdRange(
                prefix,
                EtcdKeys.EndOf(prefix),
                query.Limit,
                SortOrder: "DESCEND",
                SortTarget: "MOD",
                MaxModRevision: query.Before == long.MaxValue ? 0 : Math.Max(1, query.Before - 1)),
            cancellationToken);
        var found = new List<EtcdResource>();
        foreach (var kv in page.Kvs ?? [])
        {
            var (kind, name) = kv?.Key is null ? default : etcd.Keys.Parse(kv.Key);
            if (kind == EtcdKeyKind.Mark && kv!.ModRevision < query.Before && ResourceKey.IsValid(name))
            {
                found.Add(new EtcdResource(name).WithMark(kv, page.Header!.Revision));
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
                var resource = batch[i].WithWriters(EtcdCalls.Found(reply, i + 1), reply.Header!.Revision);
                sessions.Observe(resource.Writers, live);
                _ = ResourceKey.TryCreate(resource.Name, out var key);
                records.Add(Describe(key, resource));
            }
        }

        return records;
    }

    public async Task<long> CountAsync(CancellationToken cancellationToken)
    {
        var all = etcd.Keys.Mark("");
        return (await etcd.RangeAsync(new EtcdRange(all, EtcdKeys.EndOf(all), CountOnly: true), cancellationToken)).Count;
    }

    public async Task<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        var before = await ReadAsync(request.Resource.Value, cancellationToken);
        var asked = before.MarkRevision;
        for (var attempt = 0; attempt < MaxAttempts && before.MarkRevision == asked; attempt++)
        {
            var now = clock.GetUtcNow();
            var after = EtcdEnter.SetMark(before, request.Session, request.Mark, request.InDoubtHold, sessions.GoneFor, now);
            if (after is null)
            {
                return false;
            }

            var note = new EtcdOperatorMark(request.Mark, request.Reason, request.Actor, now);
            var reply = await etcd.TransactAsync(
                EtcdChange.Unchanged(etcd.Keys, before),
                [
                    .. EtcdChange.Between(etcd.Keys, before, after, rewriteMark: true),
                    EtcdChange.Put(etcd.Keys.Operator(before.Name), note, EtcdStoredJson.Default.EtcdOperatorMark),
                ],
                etcd.Reads(before.Name),
                cancellationToken);
            if (reply.Succeeded)
            {
                var revision = reply.Header!.Revision;
                cache.Learn(after with { MarkRevision = revision, WritersRevision = 0, KnownAt = (revision, revision) });
                return true;
            }

            before = EtcdCalls.Refresh(before.Name, reply);
            sessions.Observe(before.Writers, etcd.Sessions(reply, 2));
        }

        return false;
    }

    public async Task<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        var before = await ReadAsync(resource.Value, cancellationToken);
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var kept = before.Writers.Where(w => sessions.GoneFor(w.Session) is null).ToArray();
            var resolved = before.Writers.Count(w => sessions.GoneFor(w.Session) is { } gone && gone != TimeSpan.MaxValue);
            if (kept.Length == before.Writers.Count)
            {
                return 0;
            }

            var after = before with { Writers = kept };
            var reply = await etcd.TransactAsync(
                EtcdChange.Unchanged(etcd.Keys, before),
                EtcdChange.Between(etcd.Keys, before, after),
                etcd.Reads(before.Name),
                cancellationToken);
            if (reply.Succeeded)
            {
                cache.Learn(after.AppliedAt(reply.Header!.Revision, before));
                return resolved;
            }

            before = EtcdCalls.Refresh(before.Name, reply);
            sessions.Observe(before.Writers, etcd.Sessions(reply, 2));
        }

        throw TooManyRaces(resource.Value);
    }

    private async Task<EnterReply> EnterInLineAsync(EnterRequest request, Action<EnterReply> applied, CancellationToken cancellationToken)
    {
        var line = _lines[(uint)request.Resource.GetHashCode() % (uint)_lines.Length];
        await line.WaitAsync(cancellationToken);
        try
        {
            return await TryEnterAsync(request, FreeAttempts, MaxAttempts, applied, cancellationToken) ?? throw TooManyRaces(request.Resource.Value);
        }
        finally
        {
            _ = line.Release();
        }
    }

    /// <summary>Tries until it is done; null when it lost too many races.</summary>
    private async Task<EnterReply?> TryEnterAsync(
        EnterRequest request, int attempt, int attempts, Action<EnterReply> applied, CancellationToken cancellationToken)
    {
        var before = cache.Get(request.Resource.Value);
        for (; attempt < attempts; attempt++)
        {
            var step = EtcdEnter.Decide(before, request, sessions.GoneFor, clock.GetUtcNow());
            var writes = EtcdChange.Between(etcd.Keys, before, step.After);
            var reply = await etcd.TransactAsync(
                [EtcdChange.Exists(etcd.Keys.Live(request.Session)), .. EtcdChange.Unchanged(etcd.Keys, before)],
                step.AsksSessions ? [etcd.ReadSessions(), .. writes] : writes,
                etcd.Reads(before.Name),
                cancellationToken);
            if (reply.Succeeded)
            {
                applied(step.Reply);
                before = step.After.AppliedAt(reply.Header!.Revision, before);
                cache.Learn(before);
                if (!step.AsksSessions)
                {
                    return step.Reply;
                }

                // Somebody who was taken for living may be gone: then there may be something to take away, and the answer another one.
                sessions.Observe(before.Writers, etcd.Sessions(reply, 0));
                var again = EtcdEnter.Decide(before, request, sessions.GoneFor, clock.GetUtcNow());
                if (ReferenceEquals(again.After.Writers, before.Writers))
                {
                    return again.Reply;
                }

                continue;
            }

            before = EtcdCalls.Refresh(before.Name, reply);
            cache.Learn(before);
            var list = etcd.Sessions(reply, 2);
            sessions.Observe(before.Writers, list);
            if (!list.Live.Contains(request.Session))
            {
                throw TokenStoreUnavailableException.ForEndedSession(request.Session);
            }
        }

        return null;
    }

    private async Task WithdrawBatchAsync(string session, Registration[] batch, CancellationToken cancellationToken)
    {
        var known = Array.ConvertAll(batch, r => cache.Get(r.Resource.Value));
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            List<EtcdCompare> compare = [];
            List<EtcdOperation> writes = [];
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

            var reads = known.SelectMany(r => new[] { EtcdCalls.Read(etcd.Keys.Mark(r.Name)), EtcdCalls.Read(etcd.Keys.Writers(r.Name)) });
            var reply = await etcd.TransactAsync(compare, writes, reads, cancellationToken);
            var revision = reply.Header!.Revision;
            for (var i = 0; i < batch.Length; i++)
            {
                known[i] = reply.Succeeded ? after[i].WithdrawnAt(revision, known[i]) : EtcdCalls.Refresh(known[i].Name, reply, 2 * i);
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
        sessions.Observe(resource.Writers, etcd.Sessions(reply, 2));
        return resource;
    }

    private MarkRecord Describe(ResourceKey key, EtcdResource resource)
    {
        var writers = resource.Writers
            .Select(w => new WriterRecord(w.Session, new FencingToken(w.Token), sessions.GoneFor(w.Session)))
            .Where(w => w.EndedFor != TimeSpan.MaxValue);
        return new MarkRecord(key, resource.Mark, resource.AdvancedAt, resource.MarkRevision, [.. writers]);
    }

    private static EtcdException TooManyRaces(string resource) =>
        new($"Others changed {resource} {MaxAttempts} times while this call went on.", 0, notTaken: true);
}
