using System.Security.Cryptography;

namespace FenceGateway.TokenStore;

/// <summary>
/// Keeps this gateway's session: opens the store, starts a session, prolongs it by heartbeats, ends it in time, and
/// starts another one when it was lost.
/// </summary>
internal sealed class SessionKeeper : IDisposable
{
    private const int BeatsPerLife = 3;
    private const int MarginPart = 10;
    private static readonly TimeSpan LongestOpen = TimeSpan.FromSeconds(30);

    /// <summary>A gateway whose store is away listens all the same, soon, and says what it waits for.</summary>
    private static readonly TimeSpan LongestFirstOpen = TimeSpan.FromSeconds(5);

    private readonly ITokenStore _store;
    private readonly StoreCalls _calls;
    private readonly StoreClientOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly StoreMetrics _metrics;
    private readonly CancellationTokenSource _stop = new();
    private readonly ITimer _end;
    private volatile GatewaySession? _current;
    private volatile string? _fault = "The token store is not open.";
    private bool _away;
    private TimeSpan _timeToLive;
    private Task _keeping = Task.CompletedTask;

    public SessionKeeper(
        ITokenStore store, StoreCalls calls, StoreClientOptions options, TimeProvider time, ILogger logger,
        StoreMetrics metrics)
    {
        (_store, _calls, _options, _time, _logger, _metrics) = (store, calls, options, time, logger, metrics);
        _end = time.CreateTimer(
            static state => ((SessionKeeper)state!).EndIfDue(), this, Timeout.InfiniteTimeSpan,
            Timeout.InfiniteTimeSpan);
    }

    /// <summary>The session; null before the first. It may have ended.</summary>
    public GatewaySession? Current => _current;

    /// <summary>Why there is no session that lives, as far as that is known; null otherwise.</summary>
    public string? Fault => _fault;

    /// <summary>
    /// This session is certainly registered below the mark at a resource. Called outside of any lock.
    /// </summary>
    public required Action<ResourceChange> Revoked { get; init; }

    /// <summary>A session has been replaced: this is the old one. Called outside of any lock.</summary>
    public required Action<GatewaySession> Replaced { get; init; }

    /// <summary>
    /// Opens the store and starts the first session; waits for it afterwards where the options say so.
    /// </summary>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            await StartAsync(LongestFirstOpen, cancellationToken);
        }
        catch (TokenStoreUnavailableException e) when (_options.WaitForStore)
        {
            Away(e.Message);
        }

        if (!_calls.IsLocal)
        {
            _keeping = KeepAsync();
        }
    }

    /// <summary>Ends the session here, for good; whose it was has to end it in the store.</summary>
    public async Task<GatewaySession?> StopAsync()
    {
        _stop.CancelHere();
        await _keeping;
        await _end.DisposeAsync();
        _fault = "The gateway has closed the token store.";
        _current?.End();
        return _current;
    }

    public void Dispose() => _stop.Dispose();

    /// <summary>The session is over before its time; once for each.</summary>
    public void Lose(GatewaySession session, string why)
    {
        if (!session.Ended.IsCancellationRequested)
        {
            session.End();
            _metrics.SessionLost();
            SessionLog.Lost(_logger, session.Id, why);
        }
    }

    /// <summary>Until the gateway stops: a heartbeat, or a new session, or the wait before the next attempt.</summary>
    private async Task KeepAsync()
    {
        await Task.Yield();
        var failures = 0;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (_current is { IsAlive: true } session)
                {
                    await WaitAsync(
                        failures == 0 ? _timeToLive / BeatsPerLife : RetryDelay.After(failures, _options.Random),
                        session.Ended);
                    await BeatAsync(session);
                }
                else
                {
                    await StartAsync(LongestOpen, _stop.Token);
                }

                failures = 0;
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // Whatever it was: without this loop there would never be a session again.
                failures++;
                if (_current is not { IsAlive: true })
                {
                    Away(e.Message);
                    await WaitAsync(RetryDelay.After(failures, _options.Random), CancellationToken.None);
                }
            }
        }
    }

    private async Task BeatAsync(GatewaySession session)
    {
        if (!session.IsAlive)
        {
            return;
        }

        var sent = SessionMoment.Now(_time);
        var heartbeat = await _calls.ProbeAsync(
            StoreOperation.Heartbeat, session.Id, static (store, id, token) => store.HeartbeatAsync(id, token),
            _stop.Token);
        if (!heartbeat.Alive || _store.Info.Grade < _options.RequireGrade)
        {
            // With too low a grade the next session is refused, with the reasons, until the store promises enough
            // again.
            Lose(session, heartbeat.Alive ? $"The store's grade is only {_store.Info.Grade} now." : "The store has "
                + "ended it.");
            return;
        }

        if (session.TryExtend(sent))
        {
            EndIfDue();
        }

        foreach (var revoked in heartbeat.Revoked)
        {
            Revoked(revoked);
        }
    }

    private async ValueTask StartAsync(TimeSpan openWithin, CancellationToken cancellationToken)
    {
        var before = _current;
        if (before is null && !_options.WaitForStore)
        {
            // What this process recovers by itself takes the time it takes.
            await _store.OpenAsync(cancellationToken);
        }
        else
        {
            await OpenSharedAsync(openWithin, cancellationToken);
        }

        var info = _store.Info;
        if (info.Grade < _options.RequireGrade)
        {
            throw SafetyGradeException.For(info, _options.RequireGrade.Value);
        }

        var id = NewId();
        var sent = SessionMoment.Now(_time);
        var timeToLive = await _calls.ProbeAsync(
            StoreOperation.StartSession, (id, _options.TimeToLive),
            static (store, a, token) => store.StartSessionAsync(a.id, a.TimeToLive, token), cancellationToken);
        _timeToLive = timeToLive;
        _calls.IsLocal = timeToLive == Timeout.InfiniteTimeSpan;
        _current = new GatewaySession(
            id, (before?.Number ?? 0) + 1, _time, sent,
            _calls.IsLocal ? timeToLive : timeToLive - timeToLive / MarginPart);
        _fault = null;
        _metrics.SessionStarted();
        if (_calls.IsLocal)
        {
            SessionLog.StartedForLife(_logger, id, info.Provider, info.Location, info.Grade);
        }
        else
        {
            SessionLog.Started(_logger, id, info.Provider, info.Location, info.Grade, timeToLive);
        }

        foreach (var reason in info.GradeReasons)
        {
            SessionLog.WeakGrade(_logger, info.Provider, info.Location, info.Grade, reason);
        }

        if (_away)
        {
            _away = false;
            SessionLog.Back(_logger);
        }

        EndIfDue();
        if (before is not null)
        {
            Replaced(before);
        }
    }

    private async Task OpenSharedAsync(TimeSpan within, CancellationToken cancellationToken) => await _calls.ProbeAsync(
        StoreOperation.Open, 0,
        static async (store, _, token) =>
        {
            await store.OpenAsync(token);
            return true;
        },
        cancellationToken, within);

    /// <summary>Ends the session if its time has passed, else sets the timer to when it will have.</summary>
    private void EndIfDue()
    {
        if (_current is not { Remaining: { } remaining } session)
        {
            return;
        }

        if (session.IsAlive)
        {
            _end.Change(remaining + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
        }
        else
        {
            Lose(session, "No heartbeat was answered in time.");
        }
    }

    private void Away(string fault)
    {
        if (_fault != fault)
        {
            _fault = fault;
            _away = true;
            SessionLog.Away(_logger, fault);
        }
    }

    private async Task WaitAsync(TimeSpan delay, CancellationToken sessionEnded)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, sessionEnded);
        await Task.Delay(delay, _time, either.Token).Ending();
    }

    /// <summary>Says to people which gateway it is, and was never used before.</summary>
    private string NewId() => _options.NewName?.Invoke()
        ?? $"{_options.InstanceName ?? MachineName()}-{Environment.ProcessId}-"
        + RandomNumberGenerator.GetHexString(16, lowercase: true);

    private static string MachineName() =>
        new([
            .. Environment.MachineName.ToLowerInvariant()
                .Where(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.').Take(64),
        ]);
}
