namespace FenceGateway.TokenStore.Quorum;

/// <summary>What operators change.</summary>
/// <remarks>
/// Marks are merged by maximum wherever two nodes differ, so a mark can be raised at a majority and lowered only at all
/// nodes: one that was not asked would bring the old mark back.
/// </remarks>
internal sealed class QuorumOperator(
    QuorumNodes nodes, QuorumResources resources, QuorumSessions sessions, SessionWatch watch, ChangeStamps stamps)
{
    public async ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        var found = await resources.ReadAsync(request.Resource, cancellationToken);
        HashSet<string> gone = new(StringComparer.Ordinal);
        foreach (var session in found.Writers.Keys.Where(session => session != request.Session))
        {
            if (!await sessions.EndIfStandingAsync(session, cancellationToken)
                || watch.EndedFor(session) < request.InDoubtHold)
            {
                return false;
            }

            gone.Add(session);
        }

        var lowers = request.Mark < found.Mark;
        if (lowers && found.Read.Any(static read => read is null))
        {
            var away = found.Read.Index().Where(static read => read.Item is null)
                .Select(read => nodes[read.Index].Location);
            throw TokenStoreUnavailableException.NothingTaken(
                $"To lower a mark all {nodes.Count} nodes are needed, and {string.Join(", ", away)} cannot be asked "
                + "now.");
        }

        return await SetAsync(request, found, gone, lowers ? nodes.Count : nodes.Majority, cancellationToken);
    }

    public async ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        var found = await resources.ReadAsync(resource, cancellationToken);
        List<(string Session, long Sequence)> ended = [];
        var left = 0;
        foreach (var (session, writer) in found.Writers)
        {
            if (await sessions.EndIfStandingAsync(session, cancellationToken))
            {
                ended.Add((session, writer.Sequence));
                left += watch.EndedFor(session) == TimeSpan.MaxValue ? 0 : 1;
            }
        }

        if (ended.Count > 0)
        {
            await resources.RemoveAsync(resource, ended, cancellationToken);
        }

        return left;
    }

    /// <summary>
    /// Each node changes the mark only if it is still the one that was read there and nobody else is registered: a
    /// newer mark is never undone, nor a registration taken that a later step of this gateway made.
    /// </summary>
    private async ValueTask<bool> SetAsync(
        SetMarkRequest request, FoundResource found, HashSet<string> gone, int needed,
        CancellationToken cancellationToken)
    {
        var stamp = stamps.Next();
        var replies = await nodes.AskAsync(
            (node, view) => found.Read[node.Index] is { } read
                ? NodeMarkScripts.SetAsync(node, view, request, read, stamp, gone)
                : throw TokenStoreUnavailableException.NothingTaken("Not asked: what is there is not known."),
            null, cancellationToken);
        var set = replies.Count(static r => r.IsDone && r.Code == 0);
        if (set >= needed)
        {
            return true;
        }

        if (set > 0)
        {
            // Some have it and some refused: as it was, also where the change has not arrived yet.
            await resources.RaiseAsync(
                request.Resource, Math.Max(found.Mark, request.Mark), cancellationToken, always: true);
        }

        return replies.Exists(static r => r.IsDone && r.Code == 1) && request.Mark <= found.Mark ? false
            : set == 0 && replies.Count(static r => r.IsDone) >= nodes.Majority ? false
            : throw nodes.NoMajority(replies);
    }
}
