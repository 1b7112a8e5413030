using FenceGateway.TokenStore.Etcd.Wire;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// The atomic step. One transaction when the resource is as this process last saw it, which is the common case: it
/// compares the session and the two revisions, and either writes the next state or reads the present one for another
/// try.
/// </summary>
/// <remarks>
/// Who is held back by a session that turns out to be gone makes a second transaction. Whoever asked takes "stale" for
/// "nothing is registered", so that is not answered once the first one was taken: its own answer is still true then,
/// and the next step tells.
/// </remarks>
internal sealed class EtcdSteps(EtcdCalls etcd, GoneSessions gone, EtcdResourceCache cache, TimeProvider clock)
{
    public async Task<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        EnterReply? taken = null;
        try
        {
            return await CompareAndSet.RunAsync(
                cache.Get(request.Resource.Value), TryAsync, () => EtcdResources.TooManyRaces(request.Resource.Value));
        }
        catch (TokenStoreUnavailableException e) when (taken is not null && e.SessionEnded)
        {
            // What was registered counts as what the session left behind.
            throw e.AfterAPart();
        }
        catch (EtcdException e) when (taken is not null && e.NotTaken)
        {
            // Only a better answer could not be had.
            return taken!.Value;
        }

        async ValueTask<Attempt<EtcdResource, EnterReply>> TryAsync(EtcdResource before)
        {
            var step = EtcdEnter.Decide(before, request, gone, clock);
            if (taken is { } first && step.Reply.Status == EnterStatus.Stale)
            {
                return Attempt<EtcdResource, EnterReply>.Done(first);
            }

            var reply = await TransactAsync(before, step, request.Session, cancellationToken);
            if (!reply.Succeeded)
            {
                return Attempt<EtcdResource, EnterReply>.Again(Refresh(before, reply, request.Session));
            }

            taken = step.Reply;
            var after = step.After.AppliedAt(reply.Header.Revision, before);
            cache.Learn(after);
            if (!step.AsksSessions)
            {
                return Attempt<EtcdResource, EnterReply>.Done(step.Reply);
            }

            // Somebody who was taken for living may be gone: then there may be something to take away, and the
            // answer another one.
            etcd.Sessions(reply, 0).Tell(gone, after.Writers);
            var again = EtcdEnter.Decide(after, request, gone, clock);
            return step.Reply.Status == EnterStatus.Admitted || ReferenceEquals(again.After.Writers, after.Writers)
                ? Attempt<EtcdResource, EnterReply>.Done(again.Reply)
                : Attempt<EtcdResource, EnterReply>.Again(after);
        }
    }

    private Task<TxnResponse> TransactAsync(
        EtcdResource before, EtcdStep step, string session, CancellationToken cancellationToken)
    {
        var writes = EtcdChange.Between(etcd.Keys, before, step.After, session);
        return etcd.TransactAsync(
            [EtcdChange.Exists(etcd.Keys.Live(session)), .. EtcdChange.Unchanged(etcd.Keys, before)],
            step.AsksSessions ? [etcd.ReadSessions(), .. writes] : writes,
            etcd.Reads(before.Name),
            cancellationToken);
    }

    /// <summary>The resource as it is, after a lost race.</summary>
    private EtcdResource Refresh(EtcdResource before, TxnResponse reply, string session)
    {
        var now = EtcdCalls.Refresh(before.Name, reply);
        cache.Learn(now);
        var list = etcd.Sessions(reply, 2);
        list.Tell(gone, now.Writers);
        return list.Live.Contains(session) ? now : throw TokenStoreUnavailableException.ForEndedSession(session);
    }
}
