namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// The atomic step. One transaction when the resource is as this process last saw it, which is the common case: it compares the
/// session and the two revisions, and either writes the next state or reads the present one for another try.
/// </summary>
internal sealed class EtcdSteps(EtcdCalls etcd, EtcdSessions sessions, EtcdResourceCache cache, TimeProvider clock)
{
    /// <summary>After so many lost races the callers of this process wait for each other, so that each gets its turn.</summary>
    private const int FreeAttempts = 2;

    private readonly SemaphoreSlim[] _lines = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1, 1))];

    public async Task<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        EnterReply? applied = null;
        try
        {
            return await TryEnterAsync(request, 0, FreeAttempts, reply => applied = reply, cancellationToken)
                ?? await EnterInLineAsync(request, reply => applied = reply, cancellationToken);
        }
        catch (TokenStoreUnavailableException e) when (applied is not null && e.SessionEnded)
        {
            // What was registered counts as what the session left behind.
            throw e.AfterAPart();
        }
        catch (Exception e) when (applied is not null && e is EtcdException or TokenStoreUnavailableException)
        {
            // The first step was taken and its answer is still true; only a better one could not be had.
            return applied!.Value;
        }
    }

    private async Task<EnterReply> EnterInLineAsync(
        EnterRequest request, Action<EnterReply> applied, CancellationToken cancellationToken)
    {
        var line = _lines[(uint)request.Resource.GetHashCode() % (uint)_lines.Length];
        await line.WaitAsync(cancellationToken);
        try
        {
            return await TryEnterAsync(request, FreeAttempts, EtcdResources.MaxAttempts, applied, cancellationToken)
                ?? throw EtcdResources.TooManyRaces(request.Resource.Value);
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
            var step = EtcdEnter.Decide(before, request, sessions, clock);
            var writes = EtcdChange.Between(etcd.Keys, before, step.After, request.Session);
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
                var again = EtcdEnter.Decide(before, request, sessions, clock);
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
}
