using System.Net;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>
/// A client of one Redis: its connections, which come back by themselves, and calls that end when their token says so.
/// </summary>
internal sealed class RedisLink : IScriptRunner, IAsyncDisposable
{
    /// <summary>
    /// For every command: a replica that answered for its master would tell of marks that have risen since.
    /// </summary>
    public const CommandFlags Master = CommandFlags.DemandMaster;

    /// <summary>What is asked of a server when it is opened: a few quick questions.</summary>
    private static readonly TimeSpan LongestQuestions = TimeSpan.FromSeconds(1.5);

    private static readonly TimeSpan SubscriptionLook = TimeSpan.FromMilliseconds(5);

    private readonly ConnectionMultiplexer _client;
    private readonly IDatabase _database;
    private readonly ILogger _logger;
    private readonly RedisSentinels? _sentinels;
    private int _returns;
    private volatile bool _closing;

    private RedisLink(
        ConnectionMultiplexer client, RedisLinkSettings settings, RedisSentinels? sentinels, string told,
        ILogger logger)
    {
        _client = client;
        _database = client.GetDatabase();
        _logger = logger;
        _sentinels = sentinels;
        Settings = settings;
        FirstFault = client.IsConnected ? null : RedisErrors.NotConnected(Location, told);
        client.ConnectionFailed += OnConnectionFailed;
        client.ConnectionRestored += OnConnectionRestored;
    }

    /// <summary>The addresses, for people; no secret.</summary>
    public string Location => Settings.Location;

    public RedisLinkSettings Settings { get; }

    /// <summary>How often a connection came back.</summary>
    public int Returns => Volatile.Read(ref _returns);

    public ConnectionMultiplexer Client => _client;

    public IDatabase Database => _database;

    /// <summary>Why there was no connection at first; null when there was one.</summary>
    public TokenStoreUnavailableException? FirstFault { get; }

    /// <summary>Why calls fail now as far as is known without asking; null while there is a connection.</summary>
    public string? Fault => _client.IsConnected ? null : $"Redis {Location} cannot be reached.";

    /// <summary>
    /// For the questions to a server that is connected: one that stops just then does not keep whoever waits to try
    /// anew.
    /// </summary>
    public static CancellationTokenSource LimitQuestions(CancellationToken cancellationToken)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(LongestQuestions);
        return limit;
    }

    /// <summary>Connects; returns without a connection when there is none to be had, and goes on trying.</summary>
    /// <exception cref="TokenStoreUnavailableException">The token was cancelled first, or the settings are no
    /// settings.</exception>
    public static async Task<RedisLink> ConnectAsync(
        RedisLinkSettings settings, ILogger logger, CancellationToken cancellationToken)
    {
        RedisSentinels? sentinels = null;
        try
        {
            if (settings.Service is { } service)
            {
                sentinels = await RedisSentinels.ConnectAsync(settings, service, cancellationToken);
                settings = settings.At(await sentinels.FindMasterAsync(cancellationToken)
                    ?? throw TokenStoreUnavailableException.NothingTaken(
                        $"Redis {settings.Location}: none of these answers."));
            }

            var (client, told) = await OpenClientAsync(settings.Options, settings.Location, cancellationToken);
            return new RedisLink(client, settings, sentinels, told, logger);
        }
        catch
        {
            await (sentinels?.DisposeAsync() ?? ValueTask.CompletedTask);
            throw;
        }
    }

    /// <summary>A client, connected or going on trying, and what it told of its connecting.</summary>
    /// <inheritdoc cref="ConnectAsync" path="/exception"/>
    public static async Task<(ConnectionMultiplexer Client, string Message)> OpenClientAsync(
        ConfigurationOptions options, string location, CancellationToken cancellationToken)
    {
        var told = new StringWriter();
        var connecting = ConnectionMultiplexer.ConnectAsync(options, told);
        try
        {
            return (await connecting.WaitAsync(cancellationToken), $"{told}");
        }
        catch (OperationCanceledException e)
        {
            // Nobody waits for it any more.
            _ = DiscardAsync(connecting);
            throw TokenStoreUnavailableException.NothingTaken(
                $"Redis {location} could not be connected to in time.", e);
        }
        catch (Exception e) when (e is RedisException or ArgumentException or InvalidOperationException)
        {
            throw RedisErrors.Map(e, location);
        }
    }

    /// <summary>The master that Sentinels name now, if it is another one than this; else null.</summary>
    public async Task<string?> FindSuccessorAsync(CancellationToken cancellationToken) =>
        _sentinels is not null && await _sentinels.FindMasterAsync(cancellationToken) is { } master
            && !Settings.Options.EndPoints.Contains(master)
            ? Format(master)
            : null;

    /// <summary>Runs a script, by its hash if the server knows it: one round trip, two when it does not.</summary>
    /// <exception cref="TokenStoreUnavailableException">It refused, cannot be reached, or did not answer before the
    /// token was cancelled; a reply that comes later goes nowhere.</exception>
    public async ValueTask<RedisResult> RunAsync(
        RedisScript script, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        ThrowIfCancelled(cancellationToken);
        Task<RedisResult>? command = null;
        try
        {
            command = _database.ScriptEvaluateAsync(script.Hash, keys, arguments, Master);
            return await command.WaitAsync(cancellationToken);
        }
        catch (RedisServerException e) when (e.Kind == RedisErrorKind.NoScript)
        {
            // A restarted server, or SCRIPT FLUSH. Nothing was run.
        }
        catch (Exception e)
        {
            throw Failed(e, command);
        }

        return await AskAsync(
            () => _database.ExecuteAsync("EVAL", (object[])[script.Text, keys.Length, .. keys, .. arguments], Master),
            cancellationToken);
    }

    /// <summary>Sends a command and awaits its reply.</summary>
    /// <inheritdoc cref="RunAsync" path="/exception"/>
    public async ValueTask<T> AskAsync<T>(Func<Task<T>> send, CancellationToken cancellationToken)
    {
        ThrowIfCancelled(cancellationToken);
        Task<T>? command = null;
        try
        {
            command = send();
            return await command.WaitAsync(cancellationToken);
        }
        catch (Exception e)
        {
            throw Failed(e, command);
        }
    }

    /// <summary>
    /// Hears of changes from now on; the client subscribes again by itself whenever its connection is back.
    /// </summary>
    /// <inheritdoc cref="RunAsync" path="/exception"/>
    public async ValueTask SubscribeAsync(
        RedisValue channel, Action<ResourceChange> told, CancellationToken cancellationToken) => await AskAsync(
        async () =>
        {
            var (subscriber, literal) = (_client.GetSubscriber(), RedisChannel.Literal((string)channel!));
            while (!subscriber.IsConnected(literal) && !cancellationToken.IsCancellationRequested)
            {
                // The client has another connection for messages, which comes a little after the one that it was waited
                // for.
                await Task.Delay(SubscriptionLook, TimeProvider.System, CancellationToken.None);
            }

            await subscriber.SubscribeAsync(literal, (_, message) =>
            {
                if (RedisKeys.TryReadChange(message, out var change))
                {
                    told(change);
                }
            });
            return true;
        },
        cancellationToken);

    /// <summary>Ends the connections; what is still due on them fails.</summary>
    public async ValueTask DisposeAsync()
    {
        _closing = true;
        await _client.CloseAsync(allowCommandsToComplete: false);
        await _client.DisposeAsync();
        await (_sentinels?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    /// <summary>host:port, as in the configuration.</summary>
    public static string Format(EndPoint? endpoint) => endpoint switch
    {
        DnsEndPoint dns => $"{dns.Host}:{dns.Port}",
        null => "",
        _ => $"{endpoint}",
    };

    private static async Task DiscardAsync(Task<ConnectionMultiplexer> connecting)
    {
        await ((Task)connecting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (connecting.IsCompletedSuccessfully)
        {
            await (await connecting).DisposeAsync();
        }
    }

    private void ThrowIfCancelled(CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            throw TokenStoreUnavailableException.NothingTaken($"There was no time left to ask Redis {Location}.");
        }
    }

    private TokenStoreUnavailableException Failed(Exception exception, Task? command)
    {
        if (exception is not OperationCanceledException)
        {
            return RedisErrors.Map(exception, Location);
        }

        // The reply may still come, or an error that nobody awaits.
        _ = command?.ContinueWith(
            static task => task.Exception, CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        return new TokenStoreUnavailableException($"Redis {Location} did not answer in time.", exception);
    }

    private void OnConnectionFailed(object? sender, ConnectionFailedEventArgs e)
    {
        if (!_closing)
        {
            RedisLog.ConnectionLost(_logger, Format(e.EndPoint), Name(e.ConnectionType), $"{e.FailureType}");
        }
    }

    private void OnConnectionRestored(object? sender, ConnectionFailedEventArgs e)
    {
        Interlocked.Increment(ref _returns);
        RedisLog.ConnectionBack(_logger, Format(e.EndPoint), Name(e.ConnectionType));
    }

    private static string Name(ConnectionType type) => type == ConnectionType.Subscription ? "subscription" : "command";
}
