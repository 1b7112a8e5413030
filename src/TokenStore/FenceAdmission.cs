using FenceGateway.Fencing;

namespace FenceGateway.TokenStore;

/// <summary>
/// The slow path of <see cref="FenceTable"/>: seal, drain, forward (R4). A loop that looks at the fence under its lock, then
/// acts or waits outside of it. Every wait is bounded by the drain time-out of the request, and whatever it learns it looks at
/// again under the lock before it admits.
/// </summary>
internal sealed class FenceAdmission(GatewaySession session, TimeProvider time, FenceCache fences, Action<ResourceFence> markRaised)
{
    /// <summary>How long a request waits for the store at least, however impatient it is about older writes.</summary>
    private static readonly TimeSpan StoreTimeout = TimeSpan.FromSeconds(5);

    /// <summary>How long a request waits before it asks again, at most, while others hold its token back: mostly it is told before.</summary>
    private static readonly TimeSpan AskAgain = TimeSpan.FromMilliseconds(200);

    private static readonly string TooSlow = $"The token store did not answer within {StoreTimeout}.";

    public async ValueTask<Admission> AdmitAsync(
        ResourceFence fence, FencingToken token, bool isWrite, AdmissionRules rules, CancellationToken cancellationToken)
    {
        var deadline = time.After(rules.DrainTimeout);
        var storeDeadline = 0L;
        int? failuresBefore = null;
        int? arrived = null;
        while (true)
        {
            FenceStep step;
            (int Count, string? Fault) failures;
            Task? changed = null;
            StoreSession? admittedIn = null;
            var entering = default(Entering);
            var now = time.GetTimestamp();
            lock (fence.Gate)
            {
                failures = fence.Failures;
                failuresBefore ??= failures.Count;
                arrived ??= fence.EntersBegun;
                step = fence.NextLocked(token.Value, rules, now, arrived.Value);
                if (step.Kind == FenceStepKind.AwaitDrain && now >= deadline)
                {
                    // A newer token may have come elsewhere while this one waited: the last word is the store's (I9).
                    step = fence.IsCurrentLocked(arrived.Value)
                        ? step with { Kind = FenceStepKind.RefuseDraining }
                        : new FenceStep(FenceStepKind.Enter, token.Value);
                }

                storeDeadline = step.Kind != FenceStepKind.AwaitStore ? 0
                    : storeDeadline == 0 ? Math.Max(deadline, time.After(StoreTimeout)) : storeDeadline;
                step = RefuseIfHopeless(
                    step, failures.Count != failuresBefore ? failures.Fault : null, isTooSlow: storeDeadline != 0 && now >= storeDeadline);
                switch (step.Kind)
                {
                    case FenceStepKind.Admit:
                        admittedIn = fence.SessionLocked;
                        fence.Used = true;
                        if (isWrite)
                        {
                            fence.Active.Begin(token.Value);
                        }

                        break;
                    case FenceStepKind.Enter:
                        entering = BeginEnterLocked(fence, step.Token);
                        break;
                    case FenceStepKind.AwaitStore or FenceStepKind.AwaitDrain:
                        changed = fence.ChangedLocked();
                        break;
                }
            }

            switch (step.Kind)
            {
                case FenceStepKind.Admit:
                    return new Admission(AdmissionStatus.Admitted, fence, token.Value, Session: admittedIn);
                case FenceStepKind.RefuseStale:
                    return new Admission(AdmissionStatus.Stale, fence, fence.Mark);
                case FenceStepKind.RefuseDraining:
                    return new Admission(AdmissionStatus.Draining, fence, fence.Mark, Remaining(now, step.Until));
                case FenceStepKind.RefuseUnavailable:
                    return new Admission(AdmissionStatus.Unavailable, fence, fence.Mark, Fault: step.Fault);
                case FenceStepKind.LookUpAgain:
                    fence = fences.Get(fence.Resource.Value);
                    (failuresBefore, arrived) = (null, null);
                    break;
                case FenceStepKind.Enter:
                    // Not awaited: other requests wait for the same reply, and it must be learnt when this one has left.
                    _ = EnterAsync(fence, entering, rules.InDoubtHold);
                    break;
                case FenceStepKind.AwaitStore:
                    await WaitAsync(changed!, now, storeDeadline, cancellationToken);
                    break;
                default:
                    await WaitAsync(changed!, now, step.WakeAt == 0 ? deadline : Math.Min(deadline, step.WakeAt), cancellationToken);
                    break;
            }
        }
    }

    /// <summary>Turns a step that would wait for the store, or ask it, into a refusal when there is no point in it. A step that would not
    /// even be sent is not begun: nothing is sealed for it, and the holder goes on.</summary>
    private FenceStep RefuseIfHopeless(FenceStep step, string? failure, bool isTooSlow)
    {
        var fault = step.Kind switch
        {
            FenceStepKind.Enter => failure ?? session.Refusal,
            FenceStepKind.AwaitStore => failure ?? (isTooSlow ? TooSlow : null),
            _ => null,
        };
        return fault is null ? step : step with { Kind = FenceStepKind.RefuseUnavailable, Fault = fault };
    }

    private Entering BeginEnterLocked(ResourceFence fence, long token)
    {
        var (current, sequence) = (session.Current, session.NextSequence());
        var oldest = fence.BeginEnterLocked(token, current, sequence);
        return new Entering(current, new FencingToken(token), new FencingToken(oldest), sequence);
    }

    private async Task EnterAsync(ResourceFence fence, Entering step, TimeSpan inDoubtHold)
    {
        var before = fence.Mark;
        try
        {
            var request = new EnterRequest(
                step.Session?.Id ?? "", fence.Resource, step.Token, step.Oldest, step.Sequence, inDoubtHold);
            var reply = await session.EnterAsync(step.Session, request);
            var (holdUntil, askAt) = (time.After(reply.RetryAfter), AskAt(reply, step.Session!));
            FenceTable.Finish(
                fence, () => fence.EndEnterLocked(step.Token.Value, step.Oldest.Value, step.Session!, reply, holdUntil, askAt));
        }
        catch (Exception e)
        {
            // Whatever it was, the store did not tell: everyone who waits for this reply fails closed (R8).
            var notTaken = e is TokenStoreUnavailableException { NotTaken: true };
            FenceTable.Finish(fence, () => fence.FailLocked(e.Message, notTaken));
        }

        if (fence.Mark > before)
        {
            markRaised(fence);
        }
    }

    /// <summary>0 when nobody but this gateway, or a process that is gone, can hold the token back.</summary>
    private long AskAt(in EnterReply reply, StoreSession asked)
    {
        if (asked.IsEndless || !(reply.HeldElsewhere || reply.RetryAfter > TimeSpan.Zero))
        {
            return 0;
        }

        // Spread, so that the gateways of a fleet do not ask in step.
        var wait = AskAgain * (0.75 + Random.Shared.NextDouble() / 2);
        return time.After(!reply.HeldElsewhere && reply.RetryAfter < wait ? reply.RetryAfter : wait);
    }

    private TimeSpan? Remaining(long now, long until) => until == 0 ? null : time.GetElapsedTime(now, until);

    private async ValueTask WaitAsync(Task changed, long now, long until, CancellationToken cancellationToken)
    {
        var atMost = time.Until(now, until);
        if (atMost > TimeSpan.Zero)
        {
            // A time-out is an ordinary end of this wait; the loop looks at the clock again.
            await changed.WaitAsync(atMost, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>A step that is on its way to the store.</summary>
    private readonly record struct Entering(StoreSession? Session, FencingToken Token, FencingToken Oldest, long Sequence);
}
