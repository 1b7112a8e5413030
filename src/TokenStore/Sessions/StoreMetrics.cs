using System.Diagnostics.Metrics;

namespace FenceGateway.TokenStore;

/// <summary>What is asked of a store.</summary>
internal enum StoreOperation
{
    Open,
    StartSession,
    Heartbeat,
    EndSession,
    Enter,

    /// <summary>The same step again because time has passed: nobody told of a change.</summary>
    AskAgain,
    Withdraw,
    Read,
    SetMark,
    Resolve,
}

/// <summary>What became of a call.</summary>
internal enum StoreCallOutcome
{
    Answered,
    Failed,
    TimedOut,
    Abandoned,
    SessionEnded,
    Refused,
}

/// <summary>The instruments of a session and its calls. Tags are from closed sets.</summary>
internal sealed class StoreMetrics
{
    private readonly Counter<long> _calls;
    private readonly Counter<long> _failures;
    private readonly Histogram<double> _duration;
    private readonly Counter<long> _sessions;
    private readonly Counter<long> _notices;
    private readonly long[] _callCounts = new long[Enum.GetValues<StoreOperation>().Length];
    private long _noticeCount;

    public StoreMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("FenceGateway");
        _calls = meter.CreateCounter<long>(
            "fencegateway.token_store.calls", "{call}", "Calls of the token store that went out.");
        _failures = meter.CreateCounter<long>(
            "fencegateway.token_store.failures", "{call}", "Calls of the token store that were not answered, by why.");
        _duration = meter.CreateHistogram<double>(
            "fencegateway.token_store.call.duration", "s", "How long calls of the token store took.");
        _sessions = meter.CreateCounter<long>(
            "fencegateway.token_store.sessions", "{session}",
            "Sessions that were started, and those that ended before their time.");
        _notices = meter.CreateCounter<long>(
            "fencegateway.token_store.notices", "{notice}", "Changes of resources that the store told of.");
    }

    /// <summary>Calls that went out since the start, by operation.</summary>
    public IReadOnlyDictionary<string, long> CallCounts => Enum.GetValues<StoreOperation>()
        .Select(operation => KeyValuePair.Create(Name(operation), Interlocked.Read(ref _callCounts[(int)operation])))
        .Where(calls => calls.Value > 0)
        .ToDictionary(StringComparer.Ordinal);

    public long NoticeCount => Interlocked.Read(ref _noticeCount);

    public void Called(StoreOperation operation)
    {
        Interlocked.Increment(ref _callCounts[(int)operation]);
        _calls.Add(1, Tag("fencegateway.operation", Name(operation)));
    }

    public void Ended(StoreOperation operation, StoreCallOutcome outcome, TimeSpan duration)
    {
        _duration.Record(duration.TotalSeconds, Tag("fencegateway.operation", Name(operation)));
        if (outcome != StoreCallOutcome.Answered)
        {
            Failed(operation, outcome);
        }
    }

    public void Refused(StoreOperation operation) => Failed(operation, StoreCallOutcome.Refused);

    public void Noticed()
    {
        Interlocked.Increment(ref _noticeCount);
        _notices.Add(1);
    }

    public void SessionStarted() => _sessions.Add(1, Tag("fencegateway.event", "started"));

    public void SessionLost() => _sessions.Add(1, Tag("fencegateway.event", "lost"));

    private void Failed(StoreOperation operation, StoreCallOutcome outcome) => _failures.Add(
        1, Tag("fencegateway.operation", Name(operation)), Tag("fencegateway.reason", Name(outcome)));

    private static KeyValuePair<string, object?> Tag(string key, string value) => new(key, value);

    private static string Name(StoreOperation operation) => operation switch
    {
        StoreOperation.Open => "open",
        StoreOperation.StartSession => "start_session",
        StoreOperation.Heartbeat => "heartbeat",
        StoreOperation.EndSession => "end_session",
        StoreOperation.Enter => "enter",
        StoreOperation.AskAgain => "ask_again",
        StoreOperation.Withdraw => "withdraw",
        StoreOperation.Read => "read",
        StoreOperation.SetMark => "set_mark",
        StoreOperation.Resolve => "resolve",
        _ => throw new ArgumentOutOfRangeException(nameof(operation), operation, null),
    };

    private static string Name(StoreCallOutcome outcome) => outcome switch
    {
        StoreCallOutcome.Failed => "failed",
        StoreCallOutcome.TimedOut => "timed_out",
        StoreCallOutcome.Abandoned => "abandoned",
        StoreCallOutcome.SessionEnded => "session_ended",
        StoreCallOutcome.Refused => "refused",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, null),
    };
}
