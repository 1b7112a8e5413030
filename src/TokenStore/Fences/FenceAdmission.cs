namespace FenceGateway.TokenStore;

/// <summary>
/// The slow path of <see cref="FenceTable"/>: seal, drain, forward (R4). A loop that looks at the fence under its lock,
/// then acts or waits outside of it. Every wait is bounded by the drain time-out of the request, and whatever it learns
/// it looks at again under the lock before it admits.
/// </summary>
internal sealed class FenceAdmission(
    StoreClient client, TimeProvider time, FenceCache fences, Action<ResourceFence> markRaised)
{
    /// <summary>How long a request waits for the store at least, however impatient it is about older writes.</summary>
    private static readonly TimeSpan StoreTimeout = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long a request waits before it asks again, at most, while others hold its token back: mostly it is told
    /// before.
    /// </summary>
    private static readonly TimeSpan AskAgain = TimeSpan.FromMilliseconds(200);

    private static readonly string TooSlow = $"The token store did not answer within {StoreTimeout}.";

    public async ValueTask<Admission> AdmitAsync(
        ResourceFence fence, FencingToken token, bool isWrite, AdmissionRules rules,
        CancellationToken cancellationToken)
    {
        var deadline = time.After(rules.DrainTimeout);
        var storeDeadline = 0L;
        int? failuresBefore = null;
        int? arrived = null;
        while (true)
        {
            FenceStep step;
            Task? changed = null;
            var entering = default(Entering);
            var now = time.GetTimestamp();
            lock (fence.Gate)
            {
                var failures = fence.Failures;
                failuresBefore ??= failures.Count;
                arrived ??= fence.EntersBegun;
                step = fence.NextLocked(token.Value, rules, now, arrived.Value, isOverdue: now >= deadline);
                storeDeadline = step.Kind != FenceStepKind.AwaitStore ? 0
                    : storeDeadline == 0 ? Math.Max(deadline, time.After(StoreTimeout)) : storeDeadline;
                var fault = FaultOf(
                    step, failures.Count != failuresBefore ? failures.Fault : null,
                    isTooSlow: storeDeadline != 0 && now >= storeDeadline);
                if (fault is not null)
                {
                    return new Admission(AdmissionStatus.Unavailable, fence, fence.Mark, Fault: fault);
                }

                switch (step.Kind)
                {
                    case FenceStepKind.Admit:
                        fence.BeginLocked(token.Value, isWrite);
                        return new Admission(
                            AdmissionStatus.Admitted, fence, token.Value, Session: fence.SessionLocked);
                    case FenceStepKind.RefuseStale:
                        return new Admission(AdmissionStatus.Stale, fence, fence.Mark);
                    case FenceStepKind.RefuseDraining:
                        return new Admission(AdmissionStatus.Draining, fence, fence.Mark, Remaining(now, step.Until));
                    case FenceStepKind.Enter:
                        var current = client.Current;
                        entering = new Entering(
                            current, fence.BeginEnterLocked(step.Token, current), client.NextSequence(),
                            step.AfterWait);
                        break;
                    case FenceStepKind.AwaitStore or FenceStepKind.AwaitDrain:
                        changed = fence.ChangedLocked();
                        break;
                }
            }

            switch (step.Kind)
            {
                case FenceStepKind.LookUpAgain:
                    fence = fences.Get(fence.Resource.Value);
                    (failuresBefore, arrived) = (null, null);
                    break;
                case FenceStepKind.Enter:
                    // Not awaited: other requests wait for the same reply, and it must be learnt when this one has
                    // left.
                    _ = EnterAsync(fence, entering, rules.InDoubtHold);
                    break;
                case FenceStepKind.AwaitStore:
                    await WaitAsync(changed!, now, storeDeadline, cancellationToken);
                    break;
                default:
                    await WaitAsync(
                        changed!, now, step.WakeAt == 0 ? deadline : Math.Min(deadline, step.WakeAt),
                        cancellationToken);
                    break;
            }
        }
    }

    /// <summary>
    /// Why there is no point in asking the store, or in waiting for it; null when there is. A step that would not even
    /// be sent is not begun: nothing is sealed for it, and the holder goes on.
    /// </summary>
    private string? FaultOf(in FenceStep step, string? failure, bool isTooSlow) => step.Kind switch
    {
        FenceStepKind.Enter => failure ?? client.Refusal,
        FenceStepKind.AwaitStore => failure ?? (isTooSlow ? TooSlow : null),
        _ => null,
    };

    private async Task EnterAsync(ResourceFence fence, Entering step, TimeSpan inDoubtHold)
    {
        var before = fence.Mark;
        try
        {
            var request = new EnterRequest(
                step.Session?.Id ?? "", fence.Resource, new(step.Asked.Token), new(step.Asked.Oldest), step.Sequence,
                inDoubtHold);
            var reply = await client.EnterAsync(step.Session, request, step.AfterWait);
            var wait = new FenceWait(time.After(reply.RetryAfter), AskAt(reply, step.Session!));
            fence.Change(() => fence.EndEnterLocked(step.Asked, reply, wait));
        }
        catch (Exception e)
        {
            // Whatever it was, the store did not tell: everyone who waits for this reply fails closed (R8).
            var notTaken = e is TokenStoreUnavailableException { NotTaken: true };
            fence.Change(() => fence.FailEnterLocked(e.Message, notTaken));
        }

        if (fence.Mark > before)
        {
            markRaised(fence);
        }
    }

    /// <summary>0 when nobody but this gateway, or a process that is gone, can hold the token back.</summary>
    private long AskAt(in EnterReply reply, GatewaySession asked)
    {
        if (asked.IsEndless || !(reply.HeldElsewhere || reply.RetryAfter > TimeSpan.Zero))
        {
            return 0;
        }

        // Spread, so that the gateways of a fleet do not ask in step.
        var wait = AskAgain * (0.75 + client.Random.NextDouble() / 2);
        return time.After(!reply.HeldElsewhere && reply.RetryAfter < wait ? reply.RetryAfter : wait);
    }

    private TimeSpan? Remaining(long now, long until) => until == 0 ? null : time.GetElapsedTime(now, until);

    private async ValueTask WaitAsync(Task changed, long now, long until, CancellationToken cancellationToken)
    {
        var atMost = time.Until(now, until);
        if (atMost > TimeSpan.Zero)
        {
            // A time-out is an ordinary end of this wait; the loop looks at the clock again.
            await changed.SignalAsync(atMost, time, cancellationToken);
        }

        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>A step that is under way at the store.</summary>
    private readonly record struct Entering(GatewaySession? Session, FenceEnter Asked, long Sequence, bool AfterWait);
}
