namespace FenceGateway.TokenStore.Etcd;

/// <summary>What an Enter makes of a resource.</summary>
/// <param name="After">The resource afterwards.</param>
/// <param name="Reply">The answer, once the change was applied.</param>
/// <param name="AsksSessions">Whether others are registered: whether they live is asked in the same step.</param>
internal sealed record EtcdStep(EtcdResource After, EnterReply Reply, bool AsksSessions);

/// <summary>
/// The decisions, each a step of the pure state machine with the ends of sessions that this process knows of. What they
/// rest on is compared by etcd in the step that applies them.
/// </summary>
internal static class EtcdEnter
{
    public static EtcdStep Decide(EtcdResource before, EnterRequest request, GoneSessions gone, TimeProvider clock)
    {
        var state = Restore(before, request.Session, gone);
        var step = state.Enter(
            request.Session, request.Token.Value, request.Oldest.Value, request.Sequence,
            clock.ToTicks(request.InDoubtHold), clock.GetTimestamp());
        var after = before with
        {
            Mark = state.Mark,
            AdvancedAt = state.Mark == before.Mark ? before.AdvancedAt : clock.GetUtcNow(),
            Writers = WritersOf(state, before),
        };
        // The writers may have been heard of before the mark, which is 0 then: etcd refuses that step, but it has to be
        // one.
        var mark = Math.Max(state.Mark, after.WriterOf(request.Session)?.Token ?? 0);
        var reply = new EnterReply(step.Status, new FencingToken(mark), clock.ToSpan(step.HeldFor), step.HeldElsewhere);
        // A stale token is refused whoever lives.
        var asksSessions = step.Status != EnterStatus.Stale && after.Writers.Any(w => w.Session != request.Session);
        return new EtcdStep(after, reply, asksSessions);
    }

    /// <summary>
    /// The resource without the registration of a session; itself where there is none, or only a later one than
    /// <paramref name="sequence"/>.
    /// </summary>
    public static EtcdResource Withdraw(EtcdResource before, string session, long sequence)
    {
        var state = ResourceState.Restore(before.Mark, before.Writers.Select(w => Registered(w, endedAt: null)));
        _ = state.Withdraw(session, sequence);
        var writers = WritersOf(state, before);
        return ReferenceEquals(writers, before.Writers) ? before : before with { Writers = writers };
    }

    /// <summary>The resource with an operator's mark; null when somebody else holds it.</summary>
    public static EtcdResource? SetMark(
        EtcdResource before, SetMarkRequest request, GoneSessions gone, TimeProvider clock)
    {
        var state = Restore(before, request.Session, gone);
        return state.TrySetMark(request.Session, request.Mark, clock.ToTicks(request.InDoubtHold), clock.GetTimestamp())
            ? before with { Mark = state.Mark, AdvancedAt = clock.GetUtcNow(), Writers = [] }
            : null;
    }

    /// <summary>The state of a resource, with the end of every session but one's own.</summary>
    private static ResourceState Restore(EtcdResource before, string session, GoneSessions gone) =>
        ResourceState.Restore(
        before.Mark, before.Writers.Select(w => Registered(w, w.Session == session ? null : gone.Since(w.Session))));

    private static RegisteredWriter Registered(EtcdWriter writer, long? endedAt) =>
        new(writer.Session, writer.Token, writer.Sequence, endedAt);

    /// <summary>
    /// Who is registered; the same list as before where nothing changed, for then nothing is written.
    /// </summary>
    private static IReadOnlyList<EtcdWriter> WritersOf(ResourceState state, EtcdResource before)
    {
        EtcdWriter[] writers = [.. state.Writers.Select(w => new EtcdWriter(w.Session, w.Token, w.Sequence))];
        return writers.SequenceEqual(before.Writers) ? before.Writers : writers;
    }
}
