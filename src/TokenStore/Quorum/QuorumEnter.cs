namespace FenceGateway.TokenStore.Quorum;

/// <summary>The step on a quorum: one round trip to all nodes in parallel, as long as nothing is in the way.</summary>
internal sealed class QuorumEnter(
    QuorumNodes nodes, QuorumResources resources, QuorumSessions sessions, SessionWatch watch, ChangeStamps stamps)
{
    /// <summary>Once, again without those who no longer count, and once more for one who ended in between.</summary>
    private const int MaxRounds = 3;

    public async ValueTask<EnterReply> RunAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        HashSet<string> gone = new(StringComparer.Ordinal);
        var sent = false;
        try
        {
            for (var round = 1; ; round++)
            {
                var stamp = stamps.Next();
                var replies = await nodes.AskAsync(
                    (node, view) => NodeEnterScript.SendAsync(node, view, request, stamp, gone), Decided,
                    cancellationToken);
                var answers = Read(replies);
                var verdict = QuorumDecision.Enter(nodes.Count, request.Token.Value, [.. answers.Values]);
                sent |= verdict.Outcome is not (QuorumOutcome.Unknown or QuorumOutcome.SessionEnded);
                foreach (var (node, answer) in answers)
                {
                    resources.See(node, answer.Writers, replies[0].Generation);
                }

                // Writers that no longer count are left out, and swept, in a second round: there is nobody to ask for
                // them in the first.
                if (verdict.Outcome is QuorumOutcome.Admitted or QuorumOutcome.Draining && round < MaxRounds
                    && (await FindGoneAsync(answers.Values, request.InDoubtHold, gone, cancellationToken)
                        | await RemoveSupersededAsync(request, verdict, answers.Values, cancellationToken)))
                {
                    continue;
                }

                return await ConcludeAsync(request, verdict, answers, replies, cancellationToken);
            }
        }
        catch (TokenStoreUnavailableException e) when (sent && e.NotTaken)
        {
            // What failed was not done; the step was.
            throw e.AfterAPart();
        }
    }

    /// <summary>
    /// A node that was away may still have a registration from before: who holds the token meanwhile elsewhere must not
    /// wait for it.
    /// </summary>
    private async ValueTask<bool> RemoveSupersededAsync(
        EnterRequest request, QuorumVerdict verdict, IReadOnlyCollection<NodeEnter> answers,
        CancellationToken cancellationToken)
    {
        if (verdict.Outcome != QuorumOutcome.Draining
            || QuorumDecision.Superseded(request.Token.Value, answers) is not { Count: > 0 } superseded)
        {
            return false;
        }

        await resources.RemoveAsync(request.Resource, superseded, cancellationToken);
        return true;
    }

    private async ValueTask<EnterReply> ConcludeAsync(
        EnterRequest request, QuorumVerdict verdict, Dictionary<int, NodeEnter> answers, List<NodeReply> replies,
        CancellationToken cancellationToken)
    {
        switch (verdict.Outcome)
        {
            case QuorumOutcome.Admitted:
                return new EnterReply(EnterStatus.Admitted, request.Token);
            case QuorumOutcome.SessionEnded:
                throw TokenStoreUnavailableException.ForEndedSession(request.Session);
            case QuorumOutcome.Unknown:
                throw nodes.NoMajority(replies);
        }

        if (!verdict.Confirmed && verdict.Mark > 0)
        {
            // Nobody is told of a mark that the next majority might not know (I9).
            await resources.RaiseAsync(request.Resource, verdict.Mark, cancellationToken);
        }

        var mark = new FencingToken(verdict.Mark);
        if (verdict.Outcome == QuorumOutcome.Draining)
        {
            await TakeBackAsync(request, answers, cancellationToken);
            return Draining(request, mark, answers);
        }

        return verdict.Outcome == QuorumOutcome.Stale
            ? new EnterReply(EnterStatus.Stale, mark)
            : new EnterReply(EnterStatus.Draining, mark, HeldElsewhere: true);
    }

    private EnterReply Draining(EnterRequest request, FencingToken mark, Dictionary<int, NodeEnter> answers)
    {
        var (wait, living) = (TimeSpan.Zero, false);
        foreach (var session in answers.Values.SelectMany(static answer => answer.Writers)
            .Where(writer => writer.Token < request.Token.Value).Select(static writer => writer.Session).Distinct(
                StringComparer.Ordinal))
        {
            if (watch.EndedFor(session) is not { } ended)
            {
                living = true;
            }
            else if (request.InDoubtHold - ended is var left && left > wait)
            {
                wait = left;
            }
        }

        return new EnterReply(EnterStatus.Draining, mark, wait, living);
    }

    /// <summary>
    /// Where the step found no older writer it has registered the session, which would hold others back for nothing.
    /// </summary>
    private async ValueTask TakeBackAsync(
        EnterRequest request, Dictionary<int, NodeEnter> answers, CancellationToken cancellationToken)
    {
        // A registration at this token that counted before is at a majority, so one of the answers tells of it: it
        // stays.
        if (request.Oldest == request.Token && !answers.Values.Any(static answer => answer.Had)
            && answers.Values.Any(static answer => answer.Status == NodeEnterStatus.Accepted))
        {
            await resources.RemoveAsync(request.Resource, [(request.Session, request.Sequence)], cancellationToken);
        }
    }

    /// <summary>Adds the sessions that ended longer ago than the hold; whether there are new ones.</summary>
    private async ValueTask<bool> FindGoneAsync(
        IEnumerable<NodeEnter> answers, TimeSpan hold, HashSet<string> gone, CancellationToken cancellationToken)
    {
        var before = gone.Count;
        foreach (var session in answers.SelectMany(static answer => answer.Writers)
            .Select(static writer => writer.Session)
            .Distinct(StringComparer.Ordinal).ToArray())
        {
            if (await sessions.EndIfStandingAsync(session, cancellationToken) && watch.EndedFor(session) >= hold)
            {
                gone.Add(session);
            }
        }

        return gone.Count > before;
    }

    private bool Decided(List<NodeReply> replies) =>
        replies.Count(static r => r.IsDone && NodeEnterScript.IsAccepted(r.Code)) >= nodes.Majority
        || replies.Count(static r => r.Code == NodeScript.SessionLost) > QuorumDecision.MayMiss(nodes.Count);

    private static Dictionary<int, NodeEnter> Read(List<NodeReply> replies)
    {
        Dictionary<int, NodeEnter> answers = [];
        foreach (var reply in replies.Where(static r => r.Failure is null))
        {
            if (reply.Code == NodeScript.SessionLost)
            {
                answers[reply.Node] = NodeEnter.Lost;
            }
            else if (reply.IsDone)
            {
                answers[reply.Node] = NodeEnterScript.Read(reply.Parts);
            }
        }

        return answers;
    }
}
