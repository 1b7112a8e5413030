using FenceGateway.TokenStore.Redis;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>
/// Sessions at a majority: begun, kept alive, and ended there, by their owner or by whoever saw them stand still.
/// </summary>
internal sealed class QuorumSessions(QuorumNodes nodes, QuorumResources resources, SessionWatch watch)
{
    /// <summary>
    /// So many marks that too few nodes have told are raised with one heartbeat; the rest with the next.
    /// </summary>
    private const int MaxRaised = 64;

    private long _beats;

    public async ValueTask StartAsync(string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        var replies = nodes.Require(await nodes.AskAsync(
            (node, view) => NodeSessionScripts.StartAsync(node, view, session, timeToLive, 0), null,
            cancellationToken));
        if (replies.Exists(static r => r.Code == 1))
        {
            throw TokenStoreUnavailableException.NothingTaken($"The session {session} was started before.");
        }
    }

    public async ValueTask<Heartbeat> BeatAsync(string session, CancellationToken cancellationToken)
    {
        // The sight is of the moment after the answer: a beat before that is no longer waited for.
        var beat = Interlocked.Increment(ref _beats);
        var replies = await nodes.AskAsync(
            (node, view) => NodeSessionScripts.BeatAsync(node, view, session, beat), null, cancellationToken,
            probe: true);
        Learn(replies);
        if (replies.Count(static r => r.Code == NodeScript.SessionLost) > QuorumDecision.MayMiss(nodes.Count))
        {
            // It cannot be alive at a majority any more; now it cannot be anywhere.
            await TryEndAsync(session, cancellationToken);
            return Heartbeat.Ended;
        }

        var timeToLive = TimeToLive(nodes.Require(replies), session);
        Rejoin(replies, session, timeToLive);
        await EndStandingAsync(replies, session, cancellationToken);
        return new Heartbeat(true, await RevokedAsync(replies, cancellationToken));
    }

    public async ValueTask EndAsync(string session, bool isClean, CancellationToken cancellationToken)
    {
        var replies = await nodes.AskAsync(
            (node, view) => NodeSessionScripts.EndAsync(node, view, session, isClean, null), null, cancellationToken);
        See(nodes.Require(replies), session, isClean ? SessionLife.EndedClean : SessionLife.Ended);
    }

    /// <summary>
    /// Ends a session that stood still at a majority for its time to live, where it still does; whether it has ended
    /// now.
    /// </summary>
    public async ValueTask<bool> EndIfStandingAsync(string session, CancellationToken cancellationToken)
    {
        if (!watch.StandsStill(session, out var sights))
        {
            return watch.EndedFor(session) is not null;
        }

        var replies = await nodes.AskAsync(
            (node, view) => sights[node.Index] is { } sight
                ? NodeSessionScripts.EndAsync(node, view, session, isClean: false, sight)
                : throw TokenStoreUnavailableException.NothingTaken("Not asked: the session moves there."),
            null, cancellationToken);
        foreach (var reply in replies.Where(r => r.IsDone && sights[r.Node] is not null))
        {
            var (seen, timeToLive) = reply.Code == 0
                ? (sights[reply.Node]!.Value with { Life = SessionLife.Ended }, TimeSpan.Zero)
                : SessionSight.Read((string?)reply.Parts[1]);
            watch.See(reply.Node, session, seen, timeToLive, reply.Generation);
        }

        return watch.EndedFor(session) is not null;
    }

    private async ValueTask TryEndAsync(string session, CancellationToken cancellationToken)
    {
        try
        {
            await EndAsync(session, isClean: false, cancellationToken);
        }
        catch (TokenStoreUnavailableException)
        {
            // It has ended all the same.
        }
    }

    private void See(List<NodeReply> replies, string session, SessionLife life)
    {
        foreach (var reply in replies.Where(static r => r.IsDone))
        {
            watch.See(reply.Node, session, new SessionSight(life, 0), TimeSpan.Zero, reply.Generation);
        }
    }

    /// <summary>
    /// All gateways watch each other with their heartbeats, so that it is known at once since when one is gone.
    /// </summary>
    private void Learn(List<NodeReply> replies)
    {
        foreach (var reply in replies.Where(static r => r.IsDone))
        {
            var all = (string[])reply.Parts[2]!;
            for (var i = 0; i + 1 < all.Length; i += 2)
            {
                var (sight, timeToLive) = SessionSight.Read(all[i + 1]);
                watch.See(reply.Node, all[i], sight, timeToLive, reply.Generation);
            }

            watch.SeeOthersMissing(reply.Node, Sessions(all).ToHashSet(StringComparer.Ordinal), reply.Generation);
        }
    }

    /// <summary>Of its record at the nodes, for those that lack it.</summary>
    private static TimeSpan TimeToLive(List<NodeReply> replies, string session)
    {
        var all = (string[])replies.Find(static r => r.IsDone).Parts[2]!;
        return SessionSight.Read(all[Array.IndexOf(all, session) + 1]).TimeToLive;
    }

    /// <summary>
    /// A node that does not know the session, because it was away or has lost its data, learns of it now. What is
    /// registered there counts from then on; what was before counts where it is.
    /// </summary>
    private void Rejoin(List<NodeReply> replies, string session, TimeSpan timeToLive)
    {
        foreach (var reply in replies.Where(static r => r.Code == NodeScript.SessionLost && (int)r.Parts[1] == 0))
        {
            _ = JoinAsync(nodes[reply.Node], session, timeToLive);
        }
    }

    private async Task JoinAsync(QuorumNode node, string session, TimeSpan timeToLive)
    {
        try
        {
            await NodeSessionScripts.StartAsync(
                node, nodes.View, session, timeToLive, Interlocked.Increment(ref _beats));
        }
        catch (TokenStoreUnavailableException)
        {
            // With the next heartbeat.
        }
    }

    private async ValueTask EndStandingAsync(List<NodeReply> replies, string own, CancellationToken cancellationToken)
    {
        var standing = replies.Where(static r => r.IsDone).SelectMany(static r => Sessions((string[])r.Parts[2]!))
            .Distinct(StringComparer.Ordinal).Where(session => session != own && watch.StandsStill(session, out _))
            .ToArray();
        foreach (var session in standing)
        {
            await EndIfStandingAsync(session, cancellationToken);
        }
    }

    private static IEnumerable<string> Sessions(string[] all) => all.Where(static (_, i) => i % 2 == 0);

    /// <summary>
    /// A mark is told only when it is durable: one that too few of the nodes have told is raised at a majority first.
    /// </summary>
    private async ValueTask<IReadOnlyList<ResourceChange>> RevokedAsync(
        List<NodeReply> replies, CancellationToken cancellationToken)
    {
        Dictionary<ResourceKey, (long Mark, int Count)> found = [];
        foreach (var reply in replies.Where(static r => r.IsDone))
        {
            var told = (string[])reply.Parts[1]!;
            for (var i = 0; i + 1 < told.Length; i += 2)
            {
                var mark = RedisKeys.Number(told[i + 1]);
                if (ResourceKey.TryCreate(told[i], out var resource))
                {
                    var (highest, count) = found.GetValueOrDefault(resource);
                    found[resource] = (
                        Math.Max(mark, highest), mark == highest ? count + 1 : mark > highest ? 1 : count);
                }
            }
        }

        var unconfirmed = found.Where(f => f.Value.Count < nodes.Majority).Take(MaxRaised).ToArray();
        var raised = await Task.WhenAll(unconfirmed.Select(f => TryRaiseAsync(f.Key, f.Value.Mark, cancellationToken)));
        return
        [
            .. found.Where(f => f.Value.Count >= nodes.Majority).Concat(unconfirmed.Where((_, i) => raised[i])).Take(
                Heartbeat.MaxRevoked)
                .Select(static f => new ResourceChange(f.Key, f.Value.Mark)),
        ];
    }

    /// <summary>The session lives whether or not this can be done now; the next heartbeat tries again.</summary>
    private async Task<bool> TryRaiseAsync(ResourceKey resource, long mark, CancellationToken cancellationToken)
    {
        try
        {
            await resources.RaiseAsync(resource, mark, cancellationToken);
            return true;
        }
        catch (TokenStoreUnavailableException)
        {
            return false;
        }
    }
}
