namespace FenceGateway.TokenStore.Sql;

/// <summary>One call on a connection, until it is disposed of.</summary>
internal sealed class SqlCallUnderWay : IDisposable
{
    // Not disposed of: it may be cancelled at this very moment, and it keeps nothing.
    private readonly CancellationTokenSource _givenUp = new();
    private readonly SqlCallsUnderWay _owner;
    private readonly Action? _end;
    private readonly ITimer _timer;
    private int _isOver;

    public SqlCallUnderWay(SqlCallsUnderWay owner, Action? end, TimeProvider time)
    {
        (_owner, _end) = (owner, end);
        _timer = time.CreateTimer(static call => ((SqlCallUnderWay)call!).GiveUp(), this, SqlCallsUnderWay.Longest, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Fires when nobody waits for the answer any more.</summary>
    public CancellationToken GivenUp => _givenUp.Token;

    /// <summary>The answer has come. False: it comes too late, and the connection is being ended.</summary>
    public bool TryFinish() => Interlocked.Exchange(ref _isOver, 1) == 0;

    /// <summary>Ends it, on a thread of its own: drivers ask the server on another connection, and block until that has answered.</summary>
    public void GiveUp()
    {
        if (TryFinish())
        {
            _ = Task.Factory.StartNew(End, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
    }

    public void Dispose()
    {
        _ = TryFinish();
        _timer.Dispose();
        _owner.Remove(this);
    }

    private void End()
    {
        _givenUp.Cancel();
        _end?.Invoke();
    }
}
