namespace FenceGateway.TokenStore.ZooKeeper;

/// <content>One connection after the other, for as long as the session may live.</content>
internal sealed partial class ZooKeeperClient
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromMilliseconds(500);

    private async Task RunAsync()
    {
        for (var failures = 0; !_stop.IsCancellationRequested; failures++)
        {
            var server = _servers.Next();
            try
            {
                await using var connection = await OpenAsync(server);
                if (connection.Session is not { } session)
                {
                    Expire();
                    return;
                }

                Adopt(connection, session, server);
                failures = -1;
                await connection.RunAsync(session.Timeout, _stop.Token);
            }
            catch (Exception e)
            {
                Detach($"The connection to ZooKeeper at {server.Host}:{server.Port} failed: {e.Message}", server);
            }

            await PauseAsync(failures);
        }
    }

    private async Task<ZooKeeperConnection> OpenAsync((string Host, int Port) server)
    {
        var session = _session;
        var timeout = session.Id == 0 ? RequestedTimeout : session.Timeout;
        using var limit = new CancellationTokenSource(timeout / 6, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
        var handshake = SessionHandshake.Request(session, LastZxid, timeout);
        try
        {
            return await ZooKeeperConnection.OpenAsync(server, _tls, handshake, _time, OnWatched, OnSeen, either.Token);
        }
        catch (OperationCanceledException e) when (limit.IsCancellationRequested)
        {
            throw new TimeoutException($"No session was granted within {timeout / 6}.", e);
        }
    }

    /// <summary>Before anybody else can send: who we are, and what we watch.</summary>
    private void Adopt(ZooKeeperConnection connection, SessionTicket session, (string Host, int Port) server)
    {
        if (_auth is { } auth)
        {
            _ = connection.TrySend(UnansweredRequest.Auth(auth));
        }

        foreach (var request in _watches.Requests(LastZxid))
        {
            _ = connection.TrySend(
                new PendingRequest<bool>(request, static (_, _, _) => { }) { Xid = ZooKeeperRequest.SetWatchesXid });
        }

        if (_session.Id != 0 && _session.Id != session.Id)
        {
            throw new ZooKeeperProtocolException("The server granted another session than the one asked for.");
        }

        _session = session;
        if (!Become(ZooKeeperState.Connected))
        {
            return;
        }

        (_fault, _connection) = (null, connection);
        ZooKeeperLog.Connected(_logger, server.Host, server.Port, session.Id, session.Timeout);
        _firstConnection.TrySetResult();
        Changed?.Invoke(ZooKeeperState.Connected);
    }

    private void Detach(string why, (string Host, int Port) server)
    {
        _connection = null;
        if (_closing || _stop.IsCancellationRequested)
        {
            return;
        }

        if (Become(ZooKeeperState.Connecting) && _fault is null)
        {
            ZooKeeperLog.Disconnected(_logger, server.Host, server.Port, why);
        }

        _fault = why;
    }

    private void Expire()
    {
        _connection = null;
        _fault = "The ZooKeeper session has expired.";
        if (Become(ZooKeeperState.Expired) && !_closing)
        {
            ZooKeeperLog.Expired(_logger, _session.Id);
            Changed?.Invoke(ZooKeeperState.Expired);
        }
    }

    /// <summary>
    /// The next server at once; when all have failed, a pause that grows to a bound and is spread over the fleet.
    /// </summary>
    private async Task PauseAsync(int failures)
    {
        var rounds = (failures + 1) / _servers.Count;
        if ((failures + 1) % _servers.Count == 0 && !_stop.IsCancellationRequested)
        {
            var bound = Math.Min(
                LongestRetry.TotalSeconds, FirstRetry.TotalSeconds * Math.Pow(2, Math.Min(rounds, 10)));
            var delay = TimeSpan.FromSeconds(bound * (0.5 + Random.Shared.NextDouble() / 2));
            await Task.Delay(delay, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
