using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>
/// A bounded number of places and a bounded, fair line of those who wait for one. While somebody waits no place is free
/// for it, so whoever finds one free overtakes nobody who could have had it.
/// </summary>
/// <remarks>
/// Safe for use by several threads; everything is decided under <paramref name="gate"/>. Members ending in
/// <c>Locked</c> need it.
/// </remarks>
internal abstract class PlacePool(Lock gate, FencedWaiters fenced, TimeProvider time)
{
    private WaitingLine _line;

    /// <summary>Requests that wait.</summary>
    public int Waiting => _line.Count;

    /// <summary>How long a request waits at most.</summary>
    public abstract TimeSpan QueueTimeout { get; }

    protected Lock Gate => gate;

    protected abstract int QueueLimit { get; }

    /// <summary>
    /// Whether a place is free for a token; if there is none for the highest one, there is none for any.
    /// </summary>
    protected abstract bool HasPlaceLocked(long token);

    protected abstract void TakeLocked(long token);

    protected abstract void GiveBackLocked(long token);

    /// <summary>
    /// Takes a free place, gets in line, or neither. Null: wait for <paramref name="waiter"/> outside of the lock.
    /// </summary>
    public PlaceStatus? EnterLocked(
        ResourceFence? fence, long token, out PlaceWaiter? waiter, out PlaceWaiter? pushedOut)
    {
        (waiter, pushedOut) = (null, null);
        if (fence is not null && token < fence.Mark)
        {
            return PlaceStatus.Stale;
        }

        if (HasPlaceLocked(token))
        {
            TakeLocked(token);
            return PlaceStatus.Taken;
        }

        if (_line.Count < QueueLimit)
        {
            _line.Add(waiter = new PlaceWaiter(this, fence, token));
            return null;
        }

        if (_line.OldestBelow(fence, token) is not { } older)
        {
            return PlaceStatus.Full;
        }

        // Where the older one stood: this one would have gone first when that one's turn had come.
        _line.Replace(older, waiter = new PlaceWaiter(this, fence, token));
        older.Status = PlaceStatus.Full;
        pushedOut = older;
        return null;
    }

    /// <summary>Waits for a place until the queue time-out. Whatever happens at once, one of them counts.</summary>
    /// <exception cref="OperationCanceledException">Cancelled, and no place is held.</exception>
    public async ValueTask<PlaceStatus> WaitAsync(
        PlaceWaiter waiter, PlaceWaiter? pushedOut, CancellationToken cancellationToken)
    {
        pushedOut?.Wake();
        if (waiter.Fence is null)
        {
            await waiter.Ended.WaitAsync(QueueTimeout, time, cancellationToken).ConfigureAwait(
                ConfigureAwaitOptions.SuppressThrowing);
        }
        else
        {
            await WaitFencedAsync(waiter, cancellationToken);
        }

        var status = Leave(waiter, PlaceStatus.TimedOut);
        if (status == PlaceStatus.TimedOut)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }

        return status;
    }

    /// <summary>Takes a waiter out of the line, unless something has ended its wait already. What did.</summary>
    public PlaceStatus Leave(PlaceWaiter waiter, PlaceStatus status)
    {
        lock (gate)
        {
            if (waiter.Status is { } earlier)
            {
                return earlier;
            }

            waiter.Status = status;
            _line.Remove(waiter);
        }

        waiter.Wake();
        return status;
    }

    /// <summary>Gives a place back; it goes to whoever is next.</summary>
    public void Exit(long token)
    {
        PlaceWaiter? ended;
        lock (gate)
        {
            GiveBackLocked(token);
            ended = _line.Count == 0 ? null : GrantLocked();
        }

        WakeAll(ended);
    }

    /// <summary>
    /// Gives every free place away. Those whose wait has ended, chained by <see cref="PlaceWaiter.Next"/>.
    /// </summary>
    public PlaceWaiter? GrantLocked()
    {
        PlaceWaiter? ended = null;
        while (NextLocked() is { } next)
        {
            _line.Remove(next);
            next.Status = next.IsStale ? PlaceStatus.Stale : PlaceStatus.Taken;
            if (next.Status == PlaceStatus.Taken)
            {
                TakeLocked(next.Token);
            }

            next.Next = ended;
            ended = next;
        }

        return ended;
    }

    public static void WakeAll(PlaceWaiter? ended)
    {
        for (; ended is not null; ended = ended.Next)
        {
            ended.Wake();
        }
    }

    private PlaceWaiter? NextLocked()
    {
        if (!HasPlaceLocked(long.MaxValue))
        {
            return null;
        }

        var turn = _line.First;
        while (turn is not null && !HasPlaceLocked(turn.Token))
        {
            turn = turn.Next;
        }

        return turn is null ? null : WaitingLine.Newest(turn);
    }

    private async ValueTask WaitFencedAsync(PlaceWaiter waiter, CancellationToken cancellationToken)
    {
        fenced.Add(waiter);
        try
        {
            if (waiter.IsStale)
            {
                Leave(waiter, PlaceStatus.Stale);
            }

            await waiter.Ended.WaitAsync(QueueTimeout, time, cancellationToken).ConfigureAwait(
                ConfigureAwaitOptions.SuppressThrowing);
        }
        finally
        {
            fenced.Remove(waiter);
        }
    }
}
