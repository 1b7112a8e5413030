using FenceGateway.TokenStore.Tls;

namespace FenceGateway.TokenStore.ZooKeeper;

/// <content>How the store is connected to.</content>
public sealed partial class ZooKeeperTokenStore
{
    private static readonly TimeSpan UsualTimeToLive = TimeSpan.FromSeconds(5);

    /// <summary>How long a connection is waited for when the store is opened, at most.</summary>
    private static readonly TimeSpan LongestConnect = TimeSpan.FromSeconds(10);

    private TimeSpan _timeToLive = UsualTimeToLive;
    private string? _epoch;

    /// <inheritdoc/>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        using var turn = await _opening.TakeAsync(cancellationToken);
        if (_disposed)
        {
            throw TokenStoreUnavailableException.NothingTaken("The token store is closed.");
        }

        if (_link is { Client.State: ZooKeeperState.Connected } open)
        {
            await PrepareAsync(open, cancellationToken);
        }
        else
        {
            await ConnectAsync(cancellationToken);
        }
    }

    /// <summary>
    /// The link for a session of that length. One with another timeout is replaced, unless a session lives on it.
    /// </summary>
    private async ValueTask<ZooKeeperLink> LinkForAsync(TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        using var turn = await _opening.TakeAsync(cancellationToken);
        var link = Link();
        _timeToLive = timeToLive;
        if (link.Client.IsAlive
            && (_sessions.HasLiving || link.Client.RequestedTimeout == timeToLive * TimeoutPerTimeToLive))
        {
            return link;
        }

        await ConnectAsync(cancellationToken);
        return Link();
    }

    private async ValueTask ConnectAsync(CancellationToken cancellationToken)
    {
        var old = _link;
        _link = null;
        if (old is not null)
        {
            _sessions.EndAllOf(old);
            await old.CloseAsync(farewell: true);
        }

        using var limit = new CancellationTokenSource(LongestConnect, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var auth = _options.Auth is { } user ? Encoding.UTF8.GetBytes(user) : null;
        var tls = _options.Tls
            ? new StoreTls("TokenStore:ZooKeeper", _options.CertificateAuthority, _options.ClientCertificate)
            : null;
        ZooKeeperClient? client = null;
        try
        {
            var paths = ZooKeeperPaths.Parse(_options.Root);
            client = new ZooKeeperClient(
                ServerList.Parse(_options.ConnectionString), _timeToLive * TimeoutPerTimeToLive, auth, _time, _logger,
                tls);
            var link = new ZooKeeperLink(client, paths, auth is not null, _sessions, _gone, Tell, _time, _logger);
            await client.ConnectAsync(either.Token);
            await PrepareAsync(link, either.Token);
            _link = link;
            client = null;
        }
        catch (Exception e) when (e is FormatException or TokenStoreUnavailableException or OperationCanceledException)
        {
            // Of a connection that did not come about in time, the client knows why.
            _notOpen = e is OperationCanceledException
                ? client?.Fault ?? "ZooKeeper did not answer in time."
                : e.Message;
            throw TokenStoreUnavailableException.NothingTaken(_notOpen, e);
        }
        finally
        {
            if (client is not null)
            {
                await client.DisposeAsync();
            }
        }
    }

    private async ValueTask PrepareAsync(ZooKeeperLink link, CancellationToken cancellationToken)
    {
        var epoch = await StoreLayout.EnsureAsync(link.Client, link.Paths, link.IsRestricted, cancellationToken);
        if (_epoch is not null && _epoch != epoch)
        {
            ZooKeeperLog.DataLost(_logger, Location, _epoch, epoch);
        }

        _epoch = epoch;
        if (link.IsRestricted && await StoreLayout.IsOpenAsync(link.Client, link.Paths, cancellationToken))
        {
            ZooKeeperLog.NodesAreOpen(_logger, link.Paths.Root);
        }

        Info = await StoreLayout.GradeAsync(link.Client, Location, cancellationToken);
        if (await link.Sessions.LoadAsync(cancellationToken) is var error && error != ZooKeeperError.Ok)
        {
            throw ZooKeeperFailure.NotTaken(link.Client, error);
        }
    }
}
