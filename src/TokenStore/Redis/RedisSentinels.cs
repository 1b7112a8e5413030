using System.Net;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>
/// The Sentinels of a service. They are asked who its master is, and the master is connected to as any other Redis. The
/// client's own following of Sentinels is not used: it blocks threads of the pool for seconds, and goes on sending to
/// the old master until that one is demoted.
/// </summary>
internal sealed class RedisSentinels : IAsyncDisposable
{
    private readonly ConnectionMultiplexer _client;
    private readonly string _service;
    private readonly string _location;

    private RedisSentinels(ConnectionMultiplexer client, RedisLinkSettings settings, string service)
    {
        _client = client;
        (_service, _location) = (service, settings.Location);
    }

    /// <exception cref="TokenStoreUnavailableException">None of them can be reached, or not before the token was
    /// cancelled.</exception>
    public static async Task<RedisSentinels> ConnectAsync(
        RedisLinkSettings settings, string service, CancellationToken cancellationToken)
    {
        var (client, told) = await RedisLink.OpenClientAsync(
            settings.ForSentinels(), settings.Location, cancellationToken);
        if (client.IsConnected)
        {
            return new RedisSentinels(client, settings, service);
        }

        await client.DisposeAsync();
        throw RedisErrors.NotConnected(settings.Location, told);
    }

    /// <summary>The master, as most of those say that answer; null when none does just now.</summary>
    /// <exception cref="TokenStoreUnavailableException">They answer, and no service of that name is known to
    /// them.</exception>
    public async Task<EndPoint?> FindMasterAsync(CancellationToken cancellationToken)
    {
        using var limit = RedisLink.LimitQuestions(cancellationToken);
        var answers = await Task.WhenAll(
            _client.GetServers().Where(static server => server.IsConnected).Select(
                server => AskAsync(server, limit.Token)));
        var answered = answers.Where(static answer => answer.Answered).Select(static answer => answer.Master).ToArray();
        return answered.Length > 0 && Array.TrueForAll(answered, static master => master is null)
            ? throw TokenStoreUnavailableException.NothingTaken(
                $"Redis {_location}: these know no service '{_service}': give serviceName as in their 'sentinel "
                    + "monitor', and their own addresses.")
            : answered.OfType<EndPoint>().GroupBy(static master => master).MaxBy(static group => group.Count())?.Key;
    }

    public async ValueTask DisposeAsync()
    {
        await _client.CloseAsync(allowCommandsToComplete: false);
        await _client.DisposeAsync();
    }

    private async Task<(bool Answered, EndPoint? Master)> AskAsync(IServer server, CancellationToken cancellationToken)
    {
        try
        {
            return (true, await server.SentinelGetMasterAddressByNameAsync(_service).WaitAsync(cancellationToken));
        }
        catch (RedisServerException e) when (e.Kind == RedisErrorKind.UnknownCommand)
        {
            // A Redis, and no Sentinel.
            return (true, null);
        }
        catch (Exception e) when (
            e is RedisException or OperationCanceledException or ObjectDisposedException or TimeoutException)
        {
            return default;
        }
    }
}
