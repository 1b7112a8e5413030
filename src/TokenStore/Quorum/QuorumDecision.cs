namespace FenceGateway.TokenStore.Quorum;

/// <summary>What the answers of the nodes amount to.</summary>
internal enum QuorumOutcome
{
    /// <summary>Registered at a majority, none of which knows of an older writer.</summary>
    Admitted,

    /// <summary>The mark is raised at a majority; older writes may be in flight.</summary>
    Draining,

    /// <summary>A higher mark is known; it has to be at a majority before anybody is told.</summary>
    Stale,

    /// <summary>A later step of the same session was faster.</summary>
    Overtaken,

    /// <summary>The session cannot live at a majority any more.</summary>
    SessionEnded,

    /// <summary>Too few nodes have answered.</summary>
    Unknown,
}

/// <summary>The verdict on a step.</summary>
/// <param name="Outcome">What it came to.</param>
/// <param name="Mark">The mark to answer with.</param>
/// <param name="Confirmed">Whether this mark is at a majority already.</param>
internal readonly record struct QuorumVerdict(QuorumOutcome Outcome, long Mark, bool Confirmed);

/// <summary>
/// From the answers of the nodes to the reply. Pure; the number of nodes is that of the configuration, whoever has
/// answered. Two majorities share a node, and that is all that the argument of docs/protocol.md ("On a quorum") needs
/// of it.
/// </summary>
internal static class QuorumDecision
{
    /// <summary>So many nodes are a majority.</summary>
    public static int Majority(int nodes) => nodes / 2 + 1;

    /// <summary>So many nodes may be away or know nothing of something that is at a majority.</summary>
    public static int MayMiss(int nodes) => nodes - Majority(nodes);

    /// <param name="nodes">How many are configured.</param>
    /// <param name="token">The token asked for.</param>
    /// <param name="answers">Of those nodes that have answered.</param>
    public static QuorumVerdict Enter(int nodes, long token, IReadOnlyCollection<NodeEnter> answers)
    {
        int accepted = 0, held = 0, overtaken = 0, lost = 0, atMark = 0;
        var mark = 0L;
        foreach (var answer in answers)
        {
            accepted += answer.Status == NodeEnterStatus.Accepted ? 1 : 0;
            held += answer.Status == NodeEnterStatus.Held ? 1 : 0;
            overtaken += answer.Status == NodeEnterStatus.Overtaken ? 1 : 0;
            lost += answer.Status == NodeEnterStatus.SessionLost ? 1 : 0;
            atMark = answer.Mark > mark ? 1 : answer.Mark == mark ? atMark + 1 : atMark;
            mark = Math.Max(mark, answer.Mark);
        }

        var majority = Majority(nodes);
        return accepted >= majority ? new QuorumVerdict(QuorumOutcome.Admitted, token, true)
            : lost > MayMiss(nodes) ? new QuorumVerdict(QuorumOutcome.SessionEnded, 0, false)
            : answers.Count - lost < majority ? new QuorumVerdict(QuorumOutcome.Unknown, mark, false)
            : mark > token ? new QuorumVerdict(QuorumOutcome.Stale, mark, atMark >= majority)
            : overtaken > 0 ? new QuorumVerdict(QuorumOutcome.Overtaken, mark, atMark >= majority)
            : new QuorumVerdict(QuorumOutcome.Draining, token, true);
    }

    /// <summary>
    /// Registrations below <paramref name="token"/> at some nodes whose session a later step has moved up to it at
    /// another: that step told that nothing older was in flight, so they may go wherever they still are. Sessions, and
    /// the latest sequence to remove.
    /// </summary>
    public static List<(string Session, long Sequence)> Superseded(long token, IReadOnlyCollection<NodeEnter> answers)
    {
        var writers = answers.SelectMany(static answer => answer.Writers).ToArray();
        return
        [
            .. writers.Where(old => old.Token < token
                    && Array.Exists(
                        writers, w => w.Session == old.Session && w.Sequence > old.Sequence && w.Token >= token))
                .GroupBy(static old => old.Session, static old => old.Sequence, StringComparer.Ordinal)
                .Select(static group => (group.Key, group.Max())),
        ];
    }

    /// <summary>
    /// The registrations that can count, by session: what is at a majority is at all but <see cref="MayMiss"/> of any
    /// nodes asked. Of several of one session the latest step's stands.
    /// </summary>
    /// <param name="nodes">How many are configured.</param>
    /// <param name="answers">The registrations at each node that has answered.</param>
    public static Dictionary<string, NodeWriter> Writers(
        int nodes, IReadOnlyCollection<IReadOnlyList<NodeWriter>> answers)
    {
        var least = Math.Max(1, answers.Count - MayMiss(nodes));
        var found = new Dictionary<string, (NodeWriter Latest, int Count)>(StringComparer.Ordinal);
        foreach (var writer in answers.SelectMany(static writers => writers))
        {
            var (latest, count) = found.GetValueOrDefault(writer.Session, (writer, 0));
            found[writer.Session] = (writer.Sequence > latest.Sequence ? writer : latest, count + 1);
        }

        return found.Where(f => f.Value.Count >= least)
            .ToDictionary(f => f.Key, f => f.Value.Latest, StringComparer.Ordinal);
    }
}
