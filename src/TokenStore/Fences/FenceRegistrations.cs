using System.Collections.Concurrent;

namespace FenceGateway.TokenStore;

/// <summary>
/// Takes this gateway's registrations back: the revoked ones as soon as they are drained, the idle ones now and then,
/// those of a lost session when there is a new one. One call to the store at a time: what comes while one is under way
/// goes with the next, in one batch, and the revoked registrations, for which others wait, before the idle ones. A
/// fence is busy only while its own call is under way. After a failure it waits before the next call, longer each time.
/// </summary>
/// <remarks>Bounded by the fences there are: each waits at most once as revoked and once as idle.</remarks>
internal sealed class FenceRegistrations
{
    private readonly ConcurrentQueue<ResourceFence> _revoked = new();
    private readonly ConcurrentQueue<ResourceFence> _idle = new();
    private readonly StoreClient _client;
    private readonly TimeProvider _time;
    private readonly FenceCache _fences;
    private readonly ITimer _sweep;
    private int _pumping;
    private int _failures;
    private volatile bool _stopped;

    public FenceRegistrations(StoreClient client, TimeProvider time, FenceCache fences, TimeSpan idle)
    {
        (_client, _time, _fences) = (client, time, fences);
        _sweep = time.CreateTimer(static state => ((FenceRegistrations)state!).SweepIdle(), this, idle, idle);
        client.Changed += OnChanged;
        client.Replaced += ended => _ = LeaveAsync(ended);
    }

    private bool HasWork => !_stopped && !(_revoked.IsEmpty && _idle.IsEmpty);

    /// <summary>No more sweeps, and nothing that is told counts.</summary>
    public void Stop()
    {
        _stopped = true;
        _sweep.Dispose();
    }

    /// <summary>
    /// Withdraws the registration of a fence if nothing was admitted there when its turn has come, and nothing is in
    /// flight or in doubt. A failure is left to the next look.
    /// </summary>
    /// <param name="fence">The fence.</param>
    /// <param name="evenIfUsed">Also if something was admitted since idle fences were last looked for.</param>
    public void WithdrawUnused(ResourceFence fence, bool evenIfUsed = true)
    {
        lock (fence.Gate)
        {
            if (!fence.TryAwaitWithdrawLocked(_time.GetTimestamp(), evenIfUsed))
            {
                return;
            }
        }

        Enqueue(_idle, fence);
    }

    /// <summary>Withdraws what nothing relies on, of fences that admit no more.</summary>
    public Task WithdrawIdleAsync() =>
        _client.Current is { IsEndless: false } session ? WithdrawAllAsync(session) : Task.CompletedTask;

    private void OnChanged(ResourceChange change, bool isRegistered)
    {
        if (_stopped || Find(change.Resource, isRegistered) is not { } fence || TryForget(fence, change.Mark))
        {
            return;
        }

        var revoke = false;
        fence.Change(() =>
        {
            if (isRegistered && _client.Current is { IsEndless: false } session)
            {
                fence.AdoptLocked(session);
            }

            fence.StateLocked.TakeNotice(change.Mark, change.Risen);
            revoke = fence.NeedsWithdrawalLocked && !fence.Revoking;
            fence.Revoking |= revoke;
        });
        if (revoke)
        {
            _ = RevokeAsync(fence);
        }
    }

    /// <summary>
    /// A lower mark than the one known here is an operator's, unless the message is late: what is known is forgotten,
    /// if nothing depends on it and nobody waits, and the store is asked again.
    /// </summary>
    private bool TryForget(ResourceFence fence, long mark) =>
        mark != 0 && mark < fence.Mark && !fence.IsAwaited && _fences.TryForget(fence, _time.GetTimestamp());

    private ResourceFence? Find(ResourceKey resource, bool isRegistered)
    {
        if (_fences.TryFind(resource, out var fence) || !isRegistered)
        {
            return fence;
        }

        try
        {
            return _fences.Get(resource.Value);
        }
        catch (TokenStoreUnavailableException)
        {
            // No room for one more resource now: the next heartbeat tells it again.
            return null;
        }
    }

    /// <summary>
    /// Waits for the drain, then withdraws; nothing to do when the fence has entered with the newer token meanwhile.
    /// </summary>
    private async Task RevokeAsync(ResourceFence fence)
    {
        while (true)
        {
            Task changed;
            TimeSpan? due = null;
            lock (fence.Gate)
            {
                if (!fence.NeedsWithdrawalLocked || _stopped)
                {
                    fence.Revoking = false;
                    return;
                }

                var now = _time.GetTimestamp();
                if (fence.CanWithdrawLocked(now))
                {
                    break;
                }

                if (!fence.StateLocked.IsBusy && fence.Active is { InFlight: 0, InDoubt.Count: > 0 })
                {
                    due = _time.Until(now, fence.Active.InDoubt.Max(write => write.Until));
                }

                changed = fence.ChangedLocked();
            }

            await changed.SignalAsync(due ?? Timeout.InfiniteTimeSpan, _time);
        }

        Enqueue(_revoked, fence);
    }

    private void SweepIdle()
    {
        if (_client.Current is not { IsEndless: false, IsAlive: true })
        {
            return;
        }

        var now = _time.GetTimestamp();
        foreach (var fence in _fences.All)
        {
            // A mark may have been lowered by an operator without this gateway being told: it is not remembered for
            // ever.
            if (fence.Used || !_fences.TryForget(fence, now))
            {
                WithdrawUnused(fence, evenIfUsed: false);
            }
        }
    }

    /// <summary>
    /// Nothing can be admitted in the session any more: where nothing is in flight either, nobody has to wait for it.
    /// </summary>
    private async Task LeaveAsync(GatewaySession ended) =>
        // Where that fails, the holds of the session's registrations end by themselves.
        await WithdrawAllAsync(ended).Ending();

    private async Task WithdrawAllAsync(GatewaySession session)
    {
        var now = _time.GetTimestamp();
        List<Registration> registrations = [];
        foreach (var fence in _fences.All)
        {
            lock (fence.Gate)
            {
                if (fence.LeaveLocked(session, now))
                {
                    registrations.Add(new Registration(fence.Resource, _client.LastSequence));
                }
            }
        }

        foreach (var batch in registrations.Chunk(Registration.MaxBatch))
        {
            await _client.WithdrawAsync(session.Id, batch);
        }
    }

    private void Enqueue(ConcurrentQueue<ResourceFence> queue, ResourceFence fence)
    {
        queue.Enqueue(fence);
        if (Interlocked.Exchange(ref _pumping, 1) == 0)
        {
            _ = PumpAsync();
        }
    }

    private async Task PumpAsync()
    {
        do
        {
            while (HasWork)
            {
                // Whoever comes while a batch is under way goes with the next one.
                await Task.Yield();
                if (!await WithdrawNextAsync())
                {
                    await Task.Delay(RetryDelay.After(++_failures, _client.Random), _time);
                }
            }

            Interlocked.Exchange(ref _pumping, 0);
        }
        while (HasWork && Interlocked.Exchange(ref _pumping, 1) == 0);
    }

    private async Task<bool> WithdrawNextAsync()
    {
        List<Withdrawal> batch = [];
        while (batch.Count < Registration.MaxBatch)
        {
            var isRevoked = _revoked.TryDequeue(out var fence);
            if (!isRevoked && !_idle.TryDequeue(out fence))
            {
                break;
            }

            if (TryBegin(fence!, isRevoked) is { } of)
            {
                batch.Add(new Withdrawal(fence!, of, isRevoked));
            }
        }

        var done = true;
        foreach (var group in batch.GroupBy(static withdrawal => withdrawal.Session))
        {
            done &= await WithdrawAsync(group.Key, [.. group]);
        }

        return done;
    }

    /// <summary>The session whose registration is to be withdrawn now; null when none is.</summary>
    private GatewaySession? TryBegin(ResourceFence fence, bool isRevoked)
    {
        lock (fence.Gate)
        {
            var isWanted = isRevoked ? fence.NeedsWithdrawalLocked : fence.TakeTurnLocked();
            if (isWanted && fence.TryBeginWithdrawLocked(_time.GetTimestamp()) is { } of)
            {
                return of;
            }
        }

        if (isRevoked)
        {
            // Before its turn something came in flight, or it entered again.
            _ = RevokeAsync(fence);
        }

        return null;
    }

    private async Task<bool> WithdrawAsync(GatewaySession of, List<Withdrawal> batch)
    {
        var done = true;
        try
        {
            // Whatever was sent for these resources before: they are busy, so nothing later is.
            var sequence = _client.LastSequence;
            await _client.WithdrawAsync(
                of.Id, [.. batch.Select(next => new Registration(next.Fence.Resource, sequence))]);
            _failures = 0;
        }
        catch (Exception)
        {
            // Whatever it was, the registrations may still be there; without this loop they would stay.
            done = false;
        }

        foreach (var (fence, _, isRevoked) in batch)
        {
            fence.Change(() =>
            {
                fence.StateLocked.EndWithdraw(of.Number, done);
                fence.Revoking &= !(isRevoked && done);
            });
            if (isRevoked && !done)
            {
                // It may still hold others back.
                _revoked.Enqueue(fence);
            }
        }

        return done;
    }

    private readonly record struct Withdrawal(ResourceFence Fence, GatewaySession Session, bool IsRevoked);
}
