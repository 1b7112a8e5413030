using FenceGateway.Fencing;

namespace FenceGateway.TokenStore;

/// <summary>
/// Decides which of this gateway's registrations are taken back: the revoked ones as soon as they are drained, the idle ones now and
/// then, those of a lost session when there is a new one.
/// </summary>
internal sealed class FenceRegistrations
{
    private readonly GatewaySession _session;
    private readonly TimeProvider _time;
    private readonly FenceCache _fences;
    private readonly Action<ResourceFence> _markRaised;
    private readonly FenceWithdrawals _withdrawals;
    private readonly ITimer _idle;
    private volatile bool _stopped;

    public FenceRegistrations(
        GatewaySession session, TimeProvider time, FenceCache fences, TimeSpan idle, Action<ResourceFence> markRaised)
    {
        _session = session;
        _time = time;
        _fences = fences;
        _markRaised = markRaised;
        _withdrawals = new FenceWithdrawals(session, time, fence => _ = RevokeAsync(fence));
        _idle = time.CreateTimer(static state => ((FenceRegistrations)state!).SweepIdle(), this, idle, idle);
        session.Changed = Told;
        session.Replaced = ended => _ = LeaveAsync(ended);
    }

    /// <summary>No more sweeps, and nothing that is told counts.</summary>
    public void Stop()
    {
        _stopped = true;
        _withdrawals.Stop();
        _idle.Dispose();
    }

    /// <summary>Withdraws the registration of a fence if nothing is in flight or in doubt there.</summary>
    public void WithdrawUnused(ResourceFence fence) => _withdrawals.WithdrawIdle(fence, evenIfUsed: true);

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

                if (!fence.StoreBusy && fence.Active is { InFlight: 0, InDoubt.Count: > 0 })
                {
                    due = _time.Until(now, fence.Active.InDoubt.Max(write => write.Until));
                }

                changed = fence.ChangedLocked();
            }

            await changed.WaitAsync(due ?? Timeout.InfiniteTimeSpan, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _withdrawals.WithdrawRevoked(fence);
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
            bool forget;
            lock (fence.Gate)
            {
                // A mark may have been lowered by an operator without this gateway being told: it is not remembered for ever.
                forget = !fence.Used && fence.TryRetireLocked(now);
            }

            if (forget)
            {
                _fences.Drop(fence);
            }
            else
            {
                _withdrawals.WithdrawIdle(fence);
            }
        }
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
