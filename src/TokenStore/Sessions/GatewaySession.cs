using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using FenceGateway.Fencing;
using Microsoft.Extensions.Logging;

namespace FenceGateway.TokenStore;

/// <summary>
/// This gateway's liveness in a token store: opens the store, starts a session, keeps it alive by heartbeats, and starts another one
/// when it was lost. All calls of the store go through here.
/// </summary>
/// <remarks>
/// The session ends here at <i>the sending of the last heartbeat that was answered + time to live − a tenth</i>, on the monotonic
/// clock of this process: before the store can end it, unless clocks run apart by more than that tenth. A store whose session lives as long as the process (one
/// gateway alone) is called directly, without a bound and without heartbeats.
/// </remarks>
public sealed class GatewaySession : IAsyncDisposable
{
    private const int BeatsPerLife = 3;
    private const int MarginPart = 10;
    private const string JustEnded = "The session has just ended; try again.";
    private static readonly TimeSpan LongestCall = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestOpen = TimeSpan.FromSeconds(30);
    /// <summary>A gateway whose store is away listens all the same, soon, and says what it waits for.</summary>
    private static readonly TimeSpan LongestFirstOpen = TimeSpan.FromSeconds(5);

    private readonly GatewaySessionOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly StoreMetrics _metrics;
    private readonly StoreCalls _calls;
    private readonly CancellationTokenSource _stop = new();
    private readonly ITimer _end;
    private volatile StoreSession? _current;
    private volatile string? _fault = "The token store is not open.";
    private bool _away;
    private TimeSpan _timeToLive;
    private Task? _keeping;
    private long _sequence;
    private int _closed;

    /// <summary>Makes the session; nothing is asked of the store before <see cref="OpenAsync"/>.</summary>
    /// <param name="store">The store; owned from now on.</param>
    /// <param name="options">Read once.</param>
    /// <param name="time">Its monotonic clock judges the session.</param>
    /// <param name="logger">Where it reports.</param>
    /// <param name="meters">Makes the meter <c>FenceGateway</c>.</param>
    public GatewaySession(
        ITokenStore store, GatewaySessionOptions options, TimeProvider time, ILogger<GatewaySession> logger, IMeterFactory meters)
    {
        Store = store;
        _options = options;
        _time = time;
        _logger = logger;
        _metrics = new StoreMetrics(meters);
        _calls = new StoreCalls(store, TimeSpan.FromTicks(Math.Min(options.TimeToLive.Ticks / 2, LongestCall.Ticks)), time, _metrics);
        _end = time.CreateTimer(static state => ((GatewaySession)state!).EndIfDue(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        store.Changed = change => Changed?.Invoke(change, false);
    }

    /// <summary>What the store is and promises.</summary>
    public TokenStoreInfo Info => Store.Info;

    /// <summary>What the store has to promise at least; null for anything.</summary>
    public SafetyGrade? RequireGrade => _options.RequireGrade;

    /// <summary>The session; null before the first. It may have ended.</summary>
    public StoreSession? Current => _current;

    /// <summary>Why nothing new can be admitted, as a sentence; null while the store serves.</summary>
    public string? Fault =>
        _current is not { IsAlive: true } ? _fault ?? "This gateway has no session in the token store." : Store.Fault ?? _calls.Refusal;

    /// <summary>Why a step would not even be sent now; null when it would.</summary>
    internal string? Refusal => _current is not { IsAlive: true } ? Fault ?? JustEnded : _calls.Refusal;

    /// <summary>Calls of the store since the start.</summary>
    public long CallCount => _metrics.CallCount;

    internal ITokenStore Store { get; }

    /// <summary>A resource changed; true when this session is certainly registered below the mark. Called outside of any lock.</summary>
    internal Action<ResourceChange, bool>? Changed { get; set; }

    /// <summary>A session has been replaced: this is the old one. Called outside of any lock.</summary>
    internal Action<StoreSession>? Replaced { get; set; }

    /// <summary>Opens the store and starts the first session.</summary>
    /// <exception cref="TokenStoreUnavailableException">The store cannot be opened, and is not to be waited for.</exception>
    /// <exception cref="SafetyGradeException">It promises less than is required.</exception>
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
            _keeping = Task.Run(KeepAsync, CancellationToken.None);
        }
    }

    /// <summary>The next number for a step (<see cref="EnterRequest.Sequence"/>).</summary>
    internal long NextSequence() => Interlocked.Increment(ref _sequence);

    internal ValueTask<EnterReply> EnterAsync(StoreSession? session, EnterRequest request)
    {
        if (session is null or { IsAlive: false })
        {
            return ValueTask.FromException<EnterReply>(
                new TokenStoreUnavailableException(Fault ?? JustEnded) { NotTaken = true });
        }

        return _calls.IsLocal ? CallEnter(request) : EnterSharedAsync(session, request);
    }

    /// <summary>Goes out in any case: others wait for it, and there is one at a time, of many registrations.</summary>
    internal async ValueTask WithdrawAsync(string session, IReadOnlyList<Registration> registrations) => await _calls.ProbeAsync(
        StoreOperation.Withdraw, (session, registrations),
        static async (store, a, token) =>
        {
            await store.WithdrawAsync(a.session, a.registrations, token);
            return true;
        },
        CancellationToken.None);

    /// <inheritdoc cref="ITokenStore.FindAsync"/>
    public ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken) => _calls.RunAsync(
        StoreOperation.Read, resource, static (store, key, token) => store.FindAsync(key, token), cancellationToken);

    /// <inheritdoc cref="ITokenStore.ListAsync"/>
    public ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken) => _calls.RunAsync(
        StoreOperation.Read, query, static (store, q, token) => store.ListAsync(q, token), cancellationToken);

    /// <inheritdoc cref="ITokenStore.CountAsync"/>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => _calls.RunAsync(
        StoreOperation.Read, 0, static (store, _, token) => store.CountAsync(token), cancellationToken);

    internal ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken) => _calls.RunAsync(
        StoreOperation.SetMark, request, static (store, r, token) => store.SetMarkAsync(r, token), cancellationToken);

    internal ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) => _calls.RunAsync(
        StoreOperation.Resolve, resource, static (store, key, token) => store.ResolveAsync(key, token), cancellationToken);

    /// <summary>Ends the session and closes the store. With <paramref name="quiet"/> the caller vouches that nothing of this gateway is
    /// in flight or in doubt.</summary>
    /// <exception cref="TokenStoreUnavailableException">The store could not be told.</exception>
    public async ValueTask CloseAsync(bool quiet)
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0)
        {
            return;
        }

        await _stop.CancelAsync();
        await (_keeping ?? Task.CompletedTask);
        await _end.DisposeAsync();
        _fault = "The gateway has closed the token store.";
        var session = _current;
        session?.End();
        try
        {
            if (session is not null && _calls.IsLocal)
            {
                await Store.EndSessionAsync(session.Id, quiet, CancellationToken.None);
            }
            else if (session is not null)
            {
                await EndAtStoreAsync(session.Id, quiet);
            }
        }
        finally
        {
            await Store.DisposeAsync();
        }
    }

    /// <summary>Closes without vouching for anything.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await CloseAsync(quiet: false);
        }
        catch (TokenStoreUnavailableException e)
        {
            SessionLog.FarewellFailed(_logger, _current?.Id ?? "", e.Message);
        }

        _stop.Dispose();
    }

    private ValueTask<EnterReply> CallEnter(EnterRequest request) => _calls.RunAsync(
        StoreOperation.Enter, request, static (store, r, token) => store.EnterAsync(r, token), CancellationToken.None);

    private async ValueTask<EnterReply> EnterSharedAsync(StoreSession session, EnterRequest request)
    {
        try
        {
            return await CallEnter(request);
        }
        catch (TokenStoreUnavailableException e) when (e.SessionEnded)
        {
            Lose(session, "The store does not know it any more.");
            throw;
        }
    }

    /// <summary>Until the gateway stops: a heartbeat, or a new session, or the wait before the next attempt.</summary>
    private async Task KeepAsync()
    {
        var failures = 0;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (_current is { IsAlive: true } session)
                {
                    await WaitAsync(failures == 0 ? _timeToLive / BeatsPerLife : RetryDelay.After(failures), session.Ended);
                    await BeatAsync(session);
                }
                else
                {
                    await StartAsync(LongestOpen, _stop.Token);
                }

                failures = 0;
            }
            catch (Exception e) when (e is not OperationCanceledException || !_stop.IsCancellationRequested)
            {
                // Whatever it was: without this loop there would never be a session again.
                failures++;
                if (_current is not { IsAlive: true })
                {
                    Away(e.Message);
                    await WaitAsync(RetryDelay.After(failures), CancellationToken.None);
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task BeatAsync(StoreSession session)
    {
        if (!session.IsAlive)
        {
            return;
        }

        var sent = SessionMoment.Now(_time);
        var heartbeat = await _calls.ProbeAsync(
            StoreOperation.Heartbeat, session.Id, static (store, id, token) => store.HeartbeatAsync(id, token), _stop.Token);
        if (!heartbeat.Alive)
        {
            Lose(session, "The store has ended it.");
            return;
        }

        if (session.TryExtend(sent))
        {
            EndIfDue();
        }

        foreach (var revoked in heartbeat.Revoked)
        {
            Changed?.Invoke(revoked, true);
        }
    }

    private async ValueTask StartAsync(TimeSpan openWithin, CancellationToken cancellationToken)
    {
        var before = _current;
        if (before is null && !_options.WaitForStore)
        {
            // What this process recovers by itself takes the time it takes.
            await Store.OpenAsync(cancellationToken);
        }
        else
        {
            await OpenSharedAsync(openWithin, cancellationToken);
        }

        if (Info.Grade < _options.RequireGrade)
        {
            throw SafetyGradeException.For(Info, _options.RequireGrade.Value);
        }

        var id = NewId();
        var sent = SessionMoment.Now(_time);
        var timeToLive = await _calls.ProbeAsync(
            StoreOperation.StartSession, (id, _options.TimeToLive),
            static (store, a, token) => store.StartSessionAsync(a.id, a.TimeToLive, token), cancellationToken);
        _timeToLive = timeToLive;
        _calls.IsLocal = timeToLive == Timeout.InfiniteTimeSpan;
        _current = new StoreSession(id, _time, sent, _calls.IsLocal ? timeToLive : timeToLive - timeToLive / MarginPart);
        _fault = null;
        _metrics.SessionStarted();
        SessionLog.Started(_logger, id, Info.Provider, Info.Location, Info.Grade, timeToLive);
        foreach (var reason in Info.GradeReasons)
        {
            SessionLog.WeakGrade(_logger, Info.Provider, Info.Location, Info.Grade, reason);
        }

        if (_away)
        {
            _away = false;
            SessionLog.Back(_logger);
        }

        EndIfDue();
        if (before is not null)
        {
            Replaced?.Invoke(before);
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

    private async Task EndAtStoreAsync(string session, bool quiet) => await _calls.ProbeAsync(
        StoreOperation.EndSession, (session, quiet),
        static async (store, a, token) =>
        {
            await store.EndSessionAsync(a.session, a.quiet, token);
            return true;
        },
        CancellationToken.None);

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

    private void Lose(StoreSession session, string why)
    {
        if (!session.Ended.IsCancellationRequested)
        {
            session.End();
            _metrics.SessionLost();
            SessionLog.Lost(_logger, session.Id, why);
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
        await Task.Delay(delay, _time, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Says to people which gateway it is, and was never used before.</summary>
    private static string NewId()
    {
        var host = new string([.. Environment.MachineName.ToLowerInvariant().Where(c => char.IsAsciiLetterOrDigit(c) || c == '-').Take(32)]);
        return $"{host}-{Environment.ProcessId}-{RandomNumberGenerator.GetHexString(16, lowercase: true)}";
    }
}
