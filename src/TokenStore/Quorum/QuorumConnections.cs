using FenceGateway.TokenStore.Redis;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>
/// Connects to the nodes, looks at each whenever it is back, and makes one that lost its data whole again.
/// </summary>
internal sealed class QuorumConnections : IAsyncDisposable
{
    private readonly QuorumNode[] _nodes;
    private readonly QuorumKeys _keys;
    private readonly RedisKeys _inspected;
    private readonly QuorumMembership _membership;
    private readonly ChangeTally _tally;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly Action<ResourceChange> _changed;
    private readonly CancellationTokenSource _stop = new();
    private readonly RedisLink?[] _heard;
    private readonly InspectionClock[] _inspections;
    private readonly int[] _tending;
    private readonly Task[] _tended;
    private readonly Lock _gradeLock = new();
    private volatile TokenStoreInfo _info;
    private bool _isGraded;
    private QuorumNodes? _open;
    private QuorumResync? _resync;

    private QuorumConnections(
        QuorumNode[] nodes, QuorumTokenStoreOptions options, QuorumKeys keys, TimeProvider clock, ILogger logger,
        Action<ResourceChange> changed)
    {
        (_nodes, _keys, _clock, _logger, _changed) = (nodes, keys, clock, logger, changed);
        _inspected = new RedisKeys(options.KeyPrefix);
        _membership = new QuorumMembership(nodes, keys, options.KeyPrefix, logger);
        _tally = new ChangeTally(nodes.Length);
        _heard = new RedisLink?[nodes.Length];
        _inspections = [.. nodes.Select(_ => new InspectionClock(clock))];
        _tending = new int[nodes.Length];
        _tended = [.. nodes.Select(static _ => Task.CompletedTask)];
        _info = new TokenStoreInfo("Quorum", SafetyGrade.BestEffort, Location);
    }

    public TokenStoreInfo Info => _info;

    /// <summary>Whether every node has answered every call.</summary>
    public bool IsSettled => Array.TrueForAll(_nodes, static node => node.IsSettled);

    public string? Fault
    {
        get
        {
            var away = _nodes.Where(static node => !node.IsReachable).Select(static node => node.Location).ToArray();
            return _nodes.Length - away.Length >= QuorumDecision.Majority(_nodes.Length)
                ? null
                : $"No majority of the {_nodes.Length} nodes can be reached: {string.Join(", ", away)} cannot.";
        }
    }

    private string Location => string.Join(',', _nodes.Select(static node => node.Location));

    /// <exception cref="TokenStoreUnavailableException">The settings are none.</exception>
    public static QuorumConnections Make(
        QuorumTokenStoreOptions options, QuorumKeys keys, TimeProvider clock, ILogger logger,
        Action<ResourceChange> changed)
    {
        var settings = QuorumNode.ReadAll(options);
        return new QuorumConnections(
            [.. settings.Select((s, i) => new QuorumNode(i, s, logger))], options, keys, clock, logger, changed);
    }

    public async Task<QuorumNodes> OpenAsync(CancellationToken cancellationToken)
    {
        await ConnectAsync(cancellationToken);
        await Task.WhenAll(
            _nodes.Where(static node => node.IsReachable).Select(node => InspectAsync(node, cancellationToken)));
        using var limit = RedisLink.LimitQuestions(cancellationToken);
        var view = await _membership.FindAsync(limit.Token);
        if (_open is null || _open.View.Name != view.Name)
        {
            if (_open is not null)
            {
                QuorumLog.DataLost(_logger, _open.View.Name, view.Name);
            }

            _open = new QuorumNodes(_nodes, view, _clock);
            _resync = new QuorumResync(_open, _logger);
        }

        _open.Learn(view.Generation);
        Grade();
        Tend();
        return _open;
    }

    /// <summary>
    /// Looks after nodes that came back, or were not asked for a while what they promise: in the background, each by
    /// itself.
    /// </summary>
    public void Tend()
    {
        if (_open is null)
        {
            return;
        }

        foreach (var node in _nodes)
        {
            if (NeedsTending(node) && Interlocked.Exchange(ref _tending[node.Index], 1) == 0)
            {
                _tended[node.Index] = Task.Run(() => RunTendingAsync(node), CancellationToken.None);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_tended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }

        _stop.Dispose();
    }

    private bool NeedsTending(QuorumNode node) =>
        !node.IsChecked || node.IsDeaf || node.Link is not { } link
            || (node.IsReachable && _inspections[node.Index].IsDue(link));

    /// <summary>Waits for all nodes, but for one that is away not much longer than for a majority.</summary>
    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        var connecting = _nodes.Select(static node => node.ConnectAsync(leaveSilent: true)).ToList();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        var waiting = connecting.ToList();
        try
        {
            while (waiting.Count > 0)
            {
                waiting.Remove(await Task.WhenAny(waiting).WaitAsync(patience.Token));
                if (_nodes.Count(static node => node.IsReachable) >= QuorumDecision.Majority(_nodes.Length)
                    && waiting.Count > 0)
                {
                    await Task.WhenAll(waiting).WaitAsync(QuorumNodes.LongestPatience * 2, _clock, patience.Token)
                        .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    return;
                }
            }
        }
        catch (OperationCanceledException e)
        {
            throw TokenStoreUnavailableException.NothingTaken("The nodes could not be connected to in time.", e);
        }
    }

    private async Task RunTendingAsync(QuorumNode node)
    {
        try
        {
            await TendNodeAsync(node);
            Grade();
        }
        catch (OperationCanceledException)
        {
            // Closed.
        }
        finally
        {
            Interlocked.Exchange(ref _tending[node.Index], 0);
        }
    }

    private async Task TendNodeAsync(QuorumNode node)
    {
        try
        {
            if (node.Link is null || node.IsDeaf)
            {
                await node.ConnectAsync().WaitAsync(_stop.Token);
            }

            if (node is { IsReachable: true, Link: { } link }
                && (!node.IsChecked || _inspections[node.Index].IsDue(link)))
            {
                node.IsChecked = await InspectAsync(node, _stop.Token) && await HealAsync(node, link, _stop.Token);
            }
        }
        catch (TokenStoreUnavailableException e)
        {
            if (node.Abstention != e.Message)
            {
                node.Abstention = e.Message;
                QuorumLog.NotHealed(_logger, node.Location, e.Message);
            }
        }
    }

    /// <summary>Makes a node part of the store that should be; whether it is.</summary>
    private async Task<bool> HealAsync(QuorumNode node, RedisLink link, CancellationToken cancellationToken)
    {
        var view = _open!.View;
        using var limit = RedisLink.LimitQuestions(cancellationToken);
        var membership = await MembershipScripts.ReadAsync(link, _keys, limit.Token);
        if (membership.Serving is { } serving && serving != view.Name)
        {
            if (node.Abstention != serving)
            {
                node.Abstention = serving;
                QuorumLog.Foreign(_logger, node.Location, serving, view.Name);
            }

            return false;
        }

        if (membership.Serving is null
            && !await _membership.TryServeAsync(node, membership, view.Name, view.Generation, limit.Token))
        {
            if (!node.HasForgotten)
            {
                node.HasForgotten = true;
                node.Abstention = $"Redis {node.Location} has lost its data and abstains until it is resynchronised.";
                QuorumLog.NodeAbstains(_logger, node.Location);
            }

            if (!await _resync!.TryRunAsync(node, cancellationToken))
            {
                return false;
            }
        }

        (node.Abstention, node.HasForgotten) = (null, false);
        return true;
    }

    /// <summary>
    /// Asks a node for its settings and listens to it; whether it answered. One that did not is taken for what it was
    /// when it last did; one that never did promises nothing.
    /// </summary>
    private async Task<bool> InspectAsync(QuorumNode node, CancellationToken cancellationToken)
    {
        using var limit = RedisLink.LimitQuestions(cancellationToken);
        try
        {
            var link = node.Link!;
            _inspections[node.Index].Begin(link);
            node.Facts = await RedisInspection.InspectAsync(link, _inspected, limit.Token);
            await ListenAsync(node, link, limit.Token);
            return true;
        }
        catch (TokenStoreUnavailableException e)
        {
            if (limit.IsCancellationRequested)
            {
                node.Silence();
            }

            QuorumLog.NotHealed(_logger, node.Location, e.Message);
            return false;
        }
    }

    /// <summary>Listens for changes; the client subscribes again by itself whenever its connection is back.</summary>
    private async Task ListenAsync(QuorumNode node, RedisLink link, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _heard[node.Index], link) == link)
        {
            return;
        }

        try
        {
            await link.SubscribeAsync(
                _keys.ChannelIn(node.Database), change => Hear(node.Index, change), cancellationToken);
        }
        catch (TokenStoreUnavailableException e)
        {
            _heard[node.Index] = null;
            QuorumLog.NotSubscribed(_logger, node.Location, e.Message);
        }
    }

    private void Hear(int node, ResourceChange change)
    {
        if (_tally.Tell(node, change))
        {
            _changed(change);
        }
    }

    private void Grade()
    {
        lock (_gradeLock)
        {
            var info = QuorumGrade.Of(_nodes, Location);
            if (_isGraded && _info.Grade != info.Grade)
            {
                QuorumLog.GradeChanged(_logger, info.Grade, string.Join(' ', info.GradeReasons));
            }

            (_isGraded, _info) = (true, info);
        }
    }
}
