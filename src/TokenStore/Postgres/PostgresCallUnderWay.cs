using FenceGateway.TokenStore.Sql;

namespace FenceGateway.TokenStore.Postgres;

/// <summary>One call on a connection, until it is disposed of.</summary>
internal sealed class PostgresCallUnderWay : IDisposable
{
    /// <summary>
    /// A statement is at the server by then. A cancellation that overtakes it is lost, and it would stay there for as
    /// long as its replica is away.
    /// </summary>
    private static readonly TimeSpan Arrived = TimeSpan.FromSeconds(1);

    // Not disposed of: it may be cancelled at this very moment, and it keeps nothing.
    private readonly CancellationTokenSource _givenUp = new();
    private readonly PostgresCallsUnderWay _owner;
    private readonly TimeProvider _time;
    private readonly long _begunAt;
    private readonly ITimer _timer;
    private int _isOver;

    public PostgresCallUnderWay(PostgresCallsUnderWay owner, TimeProvider time)
    {
        (_owner, _time, _begunAt) = (owner, time, time.GetTimestamp());
        _timer = time.CreateTimer(
            static call => ((PostgresCallUnderWay)call!).GiveUp(), this, SqlCalls.Longest, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Fires when nobody waits for the answer any more.</summary>
    public CancellationToken GivenUp => _givenUp.Token;

    /// <summary>
    /// Ends it, not before <see cref="Arrived"/>, on a thread of its own: the driver asks the server on another
    /// connection, and blocks until that has answered.
    /// </summary>
    public void GiveUp()
    {
        if (Arrived - _time.GetElapsedTime(_begunAt) is { Ticks: > 0 } early)
        {
            _ = _timer.Change(early, Timeout.InfiniteTimeSpan);
        }
        else if (Interlocked.Exchange(ref _isOver, 1) == 0)
        {
            _ = Task.Factory.StartNew(
                _givenUp.Cancel, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
    }

    public void Dispose()
    {
        Volatile.Write(ref _isOver, 1);
        _timer.Dispose();
        _owner.Remove(this);
    }
}
