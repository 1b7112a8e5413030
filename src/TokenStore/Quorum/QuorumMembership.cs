using System.Security.Cryptography;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>
/// Which nodes make up the store, and how one becomes part of it. A store is begun once, when all nodes are reachable
/// and none serves: each draws a seat, then all are told all seats, and only then the first one serves. So a node that
/// has a seat among the members has lost nothing, and one without has lost everything.
/// </summary>
internal sealed class QuorumMembership(IReadOnlyList<QuorumNode> nodes, QuorumKeys keys, string prefix, ILogger logger)
{
    /// <summary>The store that the nodes make up, begun if there is none.</summary>
    /// <exception cref="TokenStoreUnavailableException">It cannot be begun now, or a majority has lost it.</exception>
    public async Task<QuorumView> FindAsync(CancellationToken cancellationToken)
    {
        var memberships = await ReadAsync(cancellationToken);
        var serving = memberships.Values.Where(static m => m.Serving is not null).GroupBy(
            static m => m.Serving!, StringComparer.Ordinal)
            .OrderByDescending(static g => g.Count()).FirstOrDefault();
        if (serving is null)
        {
            return await BeginAsync(memberships, cancellationToken);
        }

        var (name, generation) = (serving.Key, serving.Max(static m => m.Generation));
        if (name.Split('.').Length != nodes.Count)
        {
            throw TokenStoreUnavailableException.NothingTaken(
                $"The nodes belong to a store of {name.Split('.').Length} nodes, and {nodes.Count} are configured: "
                    + "their number is fixed.");
        }

        var count = 0;
        foreach (var (node, membership) in memberships)
        {
            count += membership.Serving == name
                || await TryServeAsync(node, membership, name, generation, cancellationToken)
                ? 1
                : 0;
        }

        return count >= QuorumDecision.Majority(nodes.Count)
            ? new QuorumView(keys, name, generation)
            : throw TokenStoreUnavailableException.NothingTaken(
                $"Only {count} of {nodes.Count} nodes hold the store, of {memberships.Count} that could be asked. If "
                + "the others are away, bring them back; if a majority has lost its data, nobody knows the marks: see "
                + "docs/stores.md.");
    }

    /// <summary>
    /// Lets a node count that was told of all seats and has not begun to serve when the store was begun.
    /// </summary>
    public async ValueTask<bool> TryServeAsync(
        QuorumNode node, NodeMembership membership, string name, long generation,
        CancellationToken cancellationToken) =>
        membership.IsPrepared(name) && node.Link is { } link
        && await MembershipScripts.ServeAsync(link, keys, name, generation, cancellationToken) == name;

    private async Task<Dictionary<QuorumNode, NodeMembership>> ReadAsync(CancellationToken cancellationToken)
    {
        var read = await Task.WhenAll(nodes.Select(async node =>
        {
            try
            {
                return node is { IsReachable: true, Link: { } link }
                    ? (node, await MembershipScripts.ReadAsync(link, keys, cancellationToken))
                    : (node, null);
            }
            catch (TokenStoreUnavailableException)
            {
                return (node, default(NodeMembership));
            }
        }));
        return read.Where(static r => r.Item2 is not null).ToDictionary(static r => r.node, static r => r.Item2!);
    }

    private async Task<QuorumView> BeginAsync(
        Dictionary<QuorumNode, NodeMembership> empty, CancellationToken cancellationToken)
    {
        if (empty.Count < nodes.Count)
        {
            throw TokenStoreUnavailableException.NothingTaken(
                $"No store has been begun on the nodes yet. For that all {nodes.Count} have to be reachable once, and "
                + string.Join(", ", nodes.Where(node => !empty.ContainsKey(node)).Select(static node => node.Location))
                + " cannot be asked.");
        }

        var links = nodes.Select(static node => node.Link!).ToArray();
        var seats = await Task.WhenAll(
            links.Select(link => MembershipScripts.SeatAsync(link, keys, NewSeat(), cancellationToken).AsTask()));
        if (seats.Distinct(StringComparer.Ordinal).Count() < nodes.Count)
        {
            throw TokenStoreUnavailableException.NothingTaken(
                "Two of the nodes are the same server: each has to be one of its own.");
        }

        // In an order that does not depend on who begins: gateways that begin at the same time come to the same name.
        var name = string.Join('.', seats.Order(StringComparer.Ordinal));
        var noted = await Task.WhenAll(
            links.Select(link => MembershipScripts.NoteAsync(link, keys, name, cancellationToken).AsTask()));
        if (Array.Exists(noted, members => members != name))
        {
            throw TokenStoreUnavailableException.NothingTaken(
                "The nodes do not agree who they are: somebody else begins the store now; try again.");
        }

        foreach (var link in links)
        {
            await MembershipScripts.ServeAsync(link, keys, name, 1, cancellationToken);
        }

        QuorumLog.Created(logger, nodes.Count, prefix);
        return new QuorumView(keys, name, 1);
    }

    public static string NewSeat() => RandomNumberGenerator.GetHexString(8, lowercase: true);
}
