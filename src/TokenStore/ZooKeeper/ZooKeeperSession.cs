using System.Collections.Concurrent;

namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// A session of the gateway: an ephemeral node. It ends when ZooKeeper ends the session of the connection, which the
/// connection's pings keep alive; when its node is deleted; and when it had no heartbeat for its time to live, by the
/// clock of this process: a gateway that lives but does not beat must not hold others back for ever.
/// </summary>
internal sealed class ZooKeeperSession : IDisposable
{
    private readonly ITimer _timer;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private volatile bool _ended;
    private int _deleting;

    public ZooKeeperSession(string id, ZooKeeperLink link, TimeSpan timeToLive, TimeProvider time, ILogger logger)
    {
        (Id, Link, TimeToLive, _time, _logger) = (id, link, timeToLive, time, logger);
        _timer = time.CreateTimer(
            static s => ((ZooKeeperSession)s!).NotBeating(), this, timeToLive, Timeout.InfiniteTimeSpan);
    }

    public string Id { get; }

    public ZooKeeperLink Link { get; }

    public TimeSpan TimeToLive { get; }

    /// <summary>Whether it has not ended as far as this process knows.</summary>
    public bool IsAlive => !_ended && Link.Client.IsAlive;

    /// <summary>A heartbeat was answered just now.</summary>
    public void Beaten()
    {
        if (!_ended)
        {
            _timer.Change(TimeToLive, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Nothing begins in it any more in this process.</summary>
    public void End()
    {
        _ended = true;
        _timer.Dispose();
    }

    /// <summary>
    /// Deletes its node; what fails is tried again in the background for as long as the node can be there.
    /// </summary>
    public async ValueTask<ZooKeeperError> DeleteAsync(CancellationToken cancellationToken)
    {
        try
        {
            var error =
                (await Link.Client.SendAsync(ZooKeeperRequest.Delete(Link.Paths.Session(Id)), cancellationToken)).Error;
            if (error is ZooKeeperError.Ok or ZooKeeperError.NoNode || !Link.Client.IsAlive)
            {
                // It is gone, or goes with the session of the connection.
                return ZooKeeperError.Ok;
            }

            DeleteLater();
            return error;
        }
        catch (OperationCanceledException)
        {
            DeleteLater();
            throw;
        }
    }

    public void Dispose() => End();

    private void NotBeating()
    {
        if (_ended)
        {
            return;
        }

        ZooKeeperLog.SessionNotBeating(_logger, Id, TimeToLive);
        Link.Ended(this);
        DeleteLater();
    }

    private void DeleteLater()
    {
        if (Interlocked.Exchange(ref _deleting, 1) == 0)
        {
            _ = DeleteUntilGoneAsync();
        }
    }

    private async Task DeleteUntilGoneAsync()
    {
        while (Link.Client.IsAlive)
        {
            var reply = await Link.Client.SendAsync(
                ZooKeeperRequest.Delete(Link.Paths.Session(Id)), CancellationToken.None);
            if (reply.Error is ZooKeeperError.Ok or ZooKeeperError.NoNode)
            {
                return;
            }

            await Task.Delay(TimeToLive / 10, _time);
        }
    }
}

/// <summary>The sessions that this process has started.</summary>
internal sealed class ZooKeeperSessions
{
    /// <summary>Ended ones are remembered up to here; what is not known has ended too.</summary>
    private const int Remembered = 64;

    private readonly ConcurrentDictionary<string, ZooKeeperSession> _byId = new(StringComparer.Ordinal);

    public bool HasLiving => _byId.Values.Any(s => s.IsAlive);

    public bool IsAlive(string id) => _byId.TryGetValue(id, out var session) && session.IsAlive;

    public ZooKeeperSession? Find(string id) => _byId.GetValueOrDefault(id);

    public void Add(ZooKeeperSession session)
    {
        if (_byId.Count >= Remembered)
        {
            foreach (var ended in _byId.Values.Where(s => !s.IsAlive).ToList())
            {
                _ = _byId.TryRemove(ended.Id, out _);
            }
        }

        _byId[session.Id] = session;
    }

    public void EndAllOf(ZooKeeperLink link)
    {
        foreach (var session in _byId.Values.Where(s => s.Link == link))
        {
            session.End();
        }
    }
}
