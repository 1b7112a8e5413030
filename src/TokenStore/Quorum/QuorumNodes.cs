using System.Threading.Channels;
using FenceGateway.TokenStore.Redis;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>One node's answer to anything.</summary>
/// <param name="Node">Which.</param>
/// <param name="Code">The first part of the answer; at least 0 when the script did its work.</param>
/// <param name="Parts">The whole answer; empty when there was none.</param>
/// <param name="Failure">Why there was none.</param>
/// <param name="Generation">In which it was asked.</param>
/// <param name="IsFirst">Whether it was asked for the first time in the call: else it may have done before what it did
/// not do now.</param>
internal readonly record struct NodeReply(
    int Node, int Code, RedisResult[] Parts, TokenStoreUnavailableException? Failure, long Generation, bool IsFirst)
{
    public bool IsDone => Failure is null && Code >= 0;
}

/// <summary>Asks all nodes at once.</summary>
internal sealed class QuorumNodes(IReadOnlyList<QuorumNode> nodes, QuorumView view, TimeProvider clock)
{
    /// <summary>
    /// So long at most the slower nodes are waited for once a majority has answered, where the majority alone does not
    /// decide.
    /// </summary>
    public static readonly TimeSpan LongestPatience = TimeSpan.FromMilliseconds(250);

    /// <summary>Less than this makes a node silent that is merely slow.</summary>
    private static readonly TimeSpan ShortestPatience = TimeSpan.FromMilliseconds(50);

    /// <summary>Of a time to live. A call may take up to half of it and may ask twice or three times.</summary>
    private const int PatiencePart = 8;

    /// <summary>Resynchronisations that may happen in the middle of a call.</summary>
    private const int MaxRounds = 3;

    private volatile QuorumView _view = view;
    private long _patience = LongestPatience.Ticks;

    public int Count => nodes.Count;

    public int Majority => QuorumDecision.Majority(nodes.Count);

    public QuorumView View => _view;

    public QuorumNode this[int index] => nodes[index];

    private TimeSpan Patience => TimeSpan.FromTicks(Volatile.Read(ref _patience));

    /// <summary>
    /// Waits for a slow node no longer than a session can bear that lives for so long: its heartbeats have to end in
    /// time.
    /// </summary>
    public void BoundPatience(TimeSpan timeToLive) => Volatile.Write(
        ref _patience, Math.Clamp(timeToLive.Ticks / PatiencePart, ShortestPatience.Ticks, LongestPatience.Ticks));

    /// <summary>Takes note of a resynchronisation.</summary>
    public void Learn(long generation)
    {
        for (var seen = _view; generation > seen.Generation; seen = _view)
        {
            Interlocked.CompareExchange(ref _view, seen with { Generation = generation }, seen);
        }
    }

    /// <summary>
    /// Asks all nodes in parallel, until <paramref name="enough"/> or until all that can be expected have answered. All
    /// answers returned are of one generation: when a node was resynchronised in between, all are asked again.
    /// </summary>
    /// <exception cref="TokenStoreUnavailableException">A majority cannot be reached; nothing was sent.</exception>
    public async ValueTask<List<NodeReply>> AskAsync(
        Func<QuorumNode, QuorumView, ValueTask<RedisResult>> ask, Func<List<NodeReply>, bool>? enough,
        CancellationToken cancellationToken, bool probe = false)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            throw TokenStoreUnavailableException.NothingTaken("There was no time left to ask the nodes.");
        }

        if (!probe && nodes.Count(static node => node.IsReachable) < Majority)
        {
            throw TokenStoreUnavailableException.NothingTaken(
                $"No majority of the {nodes.Count} nodes can be reached: "
                + string.Join(", ", nodes.Where(static node => !node.IsReachable).Select(static node => node.Location))
                + " cannot.");
        }

        for (var round = 1; ; round++)
        {
            var asked = _view;
            var replies = await AskOnceAsync(
                node => ask(node, asked), asked.Generation, round == 1, enough, cancellationToken);
            if (_view.Generation == asked.Generation || round == MaxRounds)
            {
                return replies;
            }
        }
    }

    /// <summary>Throws unless a majority did it.</summary>
    public List<NodeReply> Require(List<NodeReply> replies) =>
        replies.Count(static r => r.IsDone) >= Majority ? replies : throw NoMajority(replies);

    /// <summary>Why there is no majority.</summary>
    public TokenStoreUnavailableException NoMajority(List<NodeReply> replies)
    {
        var reasons = nodes.Select(node => replies.Where(r => r.Node == node.Index).Select(Describe).FirstOrDefault()
            ?? $"Redis {node.Location} did not answer in time.").Where(static reason => reason.Length > 0);
        return new TokenStoreUnavailableException(
            $"No majority of the {nodes.Count} nodes can tell. {string.Join(' ', reasons)}")
        {
            NotTaken = replies.Count == nodes.Count
                && replies.TrueForAll(static r => r.IsFirst && (r.Failure is { NotTaken: true } || r.Code < 0)),
        };
    }

    private string Describe(NodeReply reply) => reply switch
    {
        { Failure: { } failure } => failure.Message,
        { Code: NodeScript.Abstains } =>
            nodes[reply.Node].Abstention ?? $"Redis {nodes[reply.Node].Location} abstains until it is resynchronised.",
        { Code: NodeScript.Outdated } => $"Redis {nodes[reply.Node].Location} was resynchronised just now.",
        _ => "",
    };

    private async Task<List<NodeReply>> AskOnceAsync(
        Func<QuorumNode, ValueTask<RedisResult>> ask, long generation, bool isFirst,
        Func<List<NodeReply>, bool>? enough,
        CancellationToken cancellationToken)
    {
        var answers = Channel.CreateUnbounded<NodeReply>(new UnboundedChannelOptions { SingleReader = true });
        foreach (var node in nodes)
        {
            _ = AnswerAsync(node, ask, generation, isFirst, answers.Writer);
        }

        List<NodeReply> replies = [];
        var asked = clock.GetTimestamp();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var (majority, waiting) = (Majority, false);
        while (replies.Count < nodes.Count && !(enough is not null && enough(replies)))
        {
            if (!waiting && replies.Count(static r => r.IsDone) >= majority)
            {
                waiting = true;
                _ = EndAsync(patience);
            }

            try
            {
                replies.Add(await answers.Reader.ReadAsync(patience.Token));
            }
            catch (OperationCanceledException)
            {
                // A caller who does not want to wait says nothing about the nodes.
                var waited = !cancellationToken.IsCancellationRequested || clock.GetElapsedTime(asked) >= Patience;
                foreach (var node in nodes.Where(n => waited && replies.TrueForAll(r => r.Node != n.Index)))
                {
                    node.FallSilent();
                }

                break;
            }
        }

        patience.CancelHere();
        return replies;
    }

    private async Task EndAsync(CancellationTokenSource patience)
    {
        var token = patience.Token;
        await Task.Delay(Patience, clock, token).Ending();
        if (!token.IsCancellationRequested)
        {
            patience.CancelHere();
        }
    }

    private async Task AnswerAsync(
        QuorumNode node, Func<QuorumNode, ValueTask<RedisResult>> ask, long generation, bool isFirst,
        ChannelWriter<NodeReply> answers)
    {
        NodeReply reply;
        try
        {
            var parts = (RedisResult[])(await ask(node))!;
            reply = new NodeReply(node.Index, (int)parts[0], parts, null, generation, isFirst);
            if (reply.Code == NodeScript.Outdated)
            {
                Learn((long)parts[1]);
            }
            else if (reply.Code == NodeScript.Abstains)
            {
                node.IsChecked = false;
            }
        }
        catch (TokenStoreUnavailableException e)
        {
            reply = new NodeReply(node.Index, 0, [], e, generation, isFirst);
        }
        catch (Exception e)
        {
            // Whatever it was, this node did not tell.
            reply = new NodeReply(node.Index, 0, [], RedisErrors.Map(e, node.Location), generation, isFirst);
        }

        answers.TryWrite(reply);
    }
}
