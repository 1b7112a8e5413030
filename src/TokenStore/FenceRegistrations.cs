using System.Collections.Concurrent;
using FenceGateway.Fencing;

namespace FenceGateway.TokenStore;

/// <summary>
/// Takes this gateway's registrations back: the revoked ones as soon as they are drained, the idle ones now and then, those of a lost
/// session when there is a new one. What waits to be withdrawn while a call is under way goes with the next, in one batch.
/// </summary>
/// <remarks>Bounded by the fences there are: each is withdrawn at most once at a time.</remarks>
internal sealed class FenceRegistrations
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(200);
    private readonly ConcurrentQueue<(ResourceFence Fence, FenceRegistration Registration)> _queue = new();
    private readonly GatewaySession _session;
    private readonly TimeProvider _time;
    private readonly FenceCache _fences;
    private readonly Action<ResourceFence> _markRaised;
    private readonly ITimer _idle;
    private int _pumping;
    private volatile bool _stopped;

    public FenceRegistrations(
        GatewaySession session, TimeProvider time, FenceCache fences, TimeSpan idle, Action<ResourceFence> markRaised)
    {
        _session = session;
        _time = time;
        _fences = fences;
        _markRaised = markRaised;
        _idle = time.CreateTimer(static state => ((FenceRegistrations)state!).SweepIdle(), this, idle, idle);
        session.Changed = Told;
        session.Replaced = ended => _ = LeaveAsync(ended);
    }

    /// <summary>No more sweeps, and nothing that is told counts.</summary>
    public void Stop()
    {
        _stopped = true;
        _idle.Dispose();
    }

    /// <summary>Withdraws the registration of a fence that is busy with it.</summary>
    public void Withdraw(ResourceFence fence, FenceRegistration registration)
    {
        _queue.Enqueue((fence, registration));
        if (Interlocked.Exchange(ref _pumping, 1) == 0)
        {
            _ = PumpAsync();
        }
    }

    /// <summary>Withdraws the registration of a fence if nothing is in flight or in doubt there.</summary>
    public void WithdrawUnused(ResourceFence fence)
    {
        bool withdraw;
        FenceRegistration registration;
        lock (fence.Gate)
        {
            withdraw = fence.TryBeginWithdrawLocked(_time.GetTimestamp(), onlyIdle: false, out registration);
        }

        if (withdraw)
        {
            Withdraw(fence, registration);
        }
    }

    /// <summary>Withdraws what nothing relies on, of fences that admit no more.</summary>
    public async Task WithdrawIdleAsync()
    {
        if (_session.Current is { IsEndless: false } session)
        {
            await WithdrawAsync(session, Collect(session));
        }
    }

    private void Told(ResourceChange change, bool isRegistered)
    {
        if (_stopped || Find(change.Resource, isRegistered) is not { } fence || TryForget(fence, change.Mark))
        {
            return;
        }

        TaskCompletionSource? signal;
        bool risen, revoke;
        lock (fence.Gate)
        {
            var before = fence.Mark;
            if (isRegistered && _session.Current is { IsEndless: false } session)
            {
                fence.AdoptLocked(session, _session.NextSequence());
            }

            revoke = fence.ToldLocked(change.Mark, change.Risen) && !fence.Revoking;
            fence.Revoking |= revoke;
            risen = fence.Mark > before;
            signal = fence.TakeSignalLocked();
        }

        signal?.TrySetResult();
        if (risen)
        {
            _markRaised(fence);
        }

        if (revoke)
        {
            _ = RevokeAsync(fence);
        }
    }

    /// <summary>A lower mark than the one known here is an operator's, unless the message is late: what is known is forgotten, if
    /// nothing depends on it and nobody waits, and the store is asked again.</summary>
    private bool TryForget(ResourceFence fence, long mark)
    {
        if (mark == 0 || mark >= fence.Mark)
        {
            return false;
        }

        lock (fence.Gate)
        {
            if (fence.IsAwaitedLocked || !fence.TryRetireLocked(_time.GetTimestamp()))
            {
                return false;
            }
        }

        _fences.Drop(fence);
        return true;
    }

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

    /// <summary>Waits for the drain, then withdraws; nothing to do when the fence has entered with the newer token meanwhile.</summary>
    private async Task RevokeAsync(ResourceFence fence)
    {
        FenceRegistration registration;
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
                if (fence.TryBeginWithdrawLocked(now, onlyIdle: false, out registration))
                {
                    fence.Revoking = false;
                    break;
                }

                if (!fence.StoreBusy && fence.Active.InFlight == 0)
                {
                    due = _time.Until(now, fence.Active.InDoubt.Max(write => write.Until));
                }

                changed = fence.ChangedLocked();
            }

            await changed.WaitAsync(due ?? Timeout.InfiniteTimeSpan, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        Withdraw(fence, registration);
    }

    private void SweepIdle()
    {
        if (_session.Current is not { IsEndless: false, IsAlive: true })
        {
            return;
        }

        var now = _time.GetTimestamp();
        foreach (var fence in _fences)
        {
            bool withdraw, forget;
            FenceRegistration registration;
            lock (fence.Gate)
            {
                // A mark may have been lowered by an operator without this gateway being told: it is not remembered for ever.
                forget = !fence.Used && fence.TryRetireLocked(now);
                withdraw = fence.TryBeginWithdrawLocked(now, onlyIdle: true, out registration);
            }

            if (forget)
            {
                _fences.Drop(fence);
            }
            else if (withdraw)
            {
                Withdraw(fence, registration);
            }
        }
    }

    private async Task PumpAsync()
    {
        do
        {
            while (!_queue.IsEmpty)
            {
                // Whoever comes while a batch is under way goes with the next one.
                await Task.Yield();
                await WithdrawNextAsync();
            }

            Interlocked.Exchange(ref _pumping, 0);
        }
        while (!_queue.IsEmpty && Interlocked.Exchange(ref _pumping, 1) == 0);
    }

    private async Task WithdrawNextAsync()
    {
        var batch = new List<(ResourceFence Fence, FenceRegistration Registration)>();
        while (batch.Count < Registration.MaxBatch && _queue.TryDequeue(out var next))
        {
            batch.Add(next);
        }

        foreach (var group in batch.GroupBy(next => next.Registration.Session!))
        {
            await WithdrawBatchAsync(group.Key, [.. group]);
        }
    }

    private async Task WithdrawBatchAsync(
        StoreSession session, List<(ResourceFence Fence, FenceRegistration Registration)> batch)
    {
        var done = true;
        try
        {
            await _session.WithdrawAsync(
                session.Id, [.. batch.Select(next => new Registration(next.Fence.Resource, next.Registration.Sequence))]);
        }
        catch (Exception)
        {
            // Whatever it was, the registrations may still be there; without this loop they would stay.
            done = false;
        }

        foreach (var (fence, registration) in batch)
        {
            FenceTable.Finish(fence, () => fence.EndWithdrawLocked(registration, done));
            if (!done)
            {
                RevokeLater(fence);
            }
        }
    }

    /// <summary>A withdrawal that may not have been heard of holds others back until it is.</summary>
    private void RevokeLater(ResourceFence fence)
    {
        lock (fence.Gate)
        {
            if (fence.Revoking || !fence.NeedsWithdrawalLocked || _stopped)
            {
                return;
            }

            fence.Revoking = true;
        }

        _ = Task.Delay(RetryDelay * (0.5 + Random.Shared.NextDouble()), _time)
            .ContinueWith(_ => RevokeAsync(fence), TaskScheduler.Default);
    }

    /// <summary>Nothing can be admitted in the session any more: where nothing is in flight either, nobody has to wait for it.</summary>
    private async Task LeaveAsync(StoreSession ended)
    {
        try
        {
            await WithdrawAsync(ended, Collect(ended));
        }
        catch (TokenStoreUnavailableException)
        {
            // The holds of the session's registrations end by themselves.
        }
    }

    private List<Registration> Collect(StoreSession session)
    {
        var now = _time.GetTimestamp();
        List<Registration> registrations = [];
        foreach (var fence in _fences)
        {
            FenceRegistration registration;
            lock (fence.Gate)
            {
                registration = fence.TakeRegistrationLocked(session, now);
            }

            if (registration.Exists)
            {
                registrations.Add(new Registration(fence.Resource, registration.Sequence));
            }
        }

        return registrations;
    }

    private async Task WithdrawAsync(StoreSession session, List<Registration> registrations)
    {
        foreach (var batch in registrations.Chunk(Registration.MaxBatch))
        {
            await _session.WithdrawAsync(session.Id, batch);
        }
    }
}
