using FenceGateway.Simulation.Kernel;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Quorum;
using FenceGateway.TokenStore.Redis;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace FenceGateway.Simulation.Parts;

/// <summary>
/// A gateway's client of a quorum: the product's own steps, sessions and decisions over simulated nodes. Connecting to
/// the nodes, and looking after them, are left out.
/// </summary>
internal sealed class QuorumLink : SimulatedClient
{
    private static readonly TimeSpan LooksEvery = TimeSpan.FromMilliseconds(100);
    private static readonly RedisLinkSettings Settings = RedisLinkSettings.Read("node:6379");
    private static readonly QuorumView View = new(new QuorumKeys("fg"), "simulated", 1);

    private readonly List<(SimulatedNode Node, Action<ResourceChange> Told)> _subscriptions = [];
    private readonly SimulatedProcess _process;
    private readonly QuorumTokenStore.Parts _parts;

    public QuorumLink(IReadOnlyList<SimulatedNode> nodes, IReadOnlyList<Link> links, SimulatedProcess process)
        : base(new TokenStoreInfo("Quorum", SafetyGrade.Strict, "this run"))
    {
        _process = process;
        var tally = new ChangeTally(nodes.Count);
        _parts = new QuorumTokenStore.Parts(
            new QuorumNodes(
                [.. nodes.Select((node, i) => new QuorumNode(i, Settings, NullLogger.Instance, new Runner(node, links[i], process)))],
                View, process.Clock),
            process.Clock);
        for (var i = 0; i < nodes.Count; i++)
        {
            var (at, link) = (i, links[i]);
            Action<ResourceChange> told = change => link.Send(() => process.Run(() => Hear(tally, at, change)));
            nodes[i].Told.Add(told);
            _subscriptions.Add((nodes[i], told));
        }
    }

    public override async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        var nodes = _parts.Nodes;
        while (Enumerable.Range(0, nodes.Count).Count(i => nodes[i].IsReachable) < nodes.Majority)
        {
            await Task.Delay(LooksEvery, _process.Clock, cancellationToken);
        }
    }

    public override async ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        _parts.Nodes.BoundPatience(timeToLive);
        await _parts.Sessions.StartAsync(session, timeToLive, cancellationToken);
        return timeToLive;
    }

    public override ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken) =>
        _parts.Sessions.BeatAsync(session, cancellationToken);

    public override ValueTask EndSessionAsync(string session, bool isClean, CancellationToken cancellationToken) =>
        _parts.Sessions.EndAsync(session, isClean, cancellationToken);

    public override ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken) =>
        _parts.Enter.RunAsync(request, cancellationToken);

    public override ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken) =>
        _parts.Resources.WithdrawAsync(session, registrations, cancellationToken);

    public override ValueTask DisposeAsync()
    {
        foreach (var (node, told) in _subscriptions)
        {
            node.Told.Remove(told);
        }

        return ValueTask.CompletedTask;
    }

    private void Hear(ChangeTally tally, int node, ResourceChange change)
    {
        if (tally.Tell(node, change))
        {
            Tell(change);
        }
    }

    /// <summary>
    /// A connection to one node. What is lost on it ends in a while, as with a connection that breaks.
    /// </summary>
    private sealed class Runner(SimulatedNode node, Link link, SimulatedProcess process) : IScriptRunner
    {
        private static readonly TimeSpan Breaks = TimeSpan.FromMilliseconds(400);

        public string? Fault => link.IsCut ? "The node cannot be reached." : null;

        public async ValueTask<RedisResult> RunAsync(
            RedisScript script, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken)
        {
            var answer = new TaskCompletionSource<RedisResult>();
            link.Send(
                () => node.Execute(
                    script, arguments, result => link.Send(() => process.Run(() => answer.TrySetResult(result)))));
            await using var breaks = process.Clock.CreateTimer(
                _ => answer.TrySetException(new TokenStoreUnavailableException("The connection was lost.")), null,
                Breaks, Timeout.InfiniteTimeSpan);
            return await answer.Task;
        }
    }
}
