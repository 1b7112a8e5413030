using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace FenceGateway.TokenStore;

/// <summary>
/// Sends withdrawals to the store, one call at a time: what comes while one is under way goes with the next, in one batch, and the
/// revoked registrations, for which others wait, before the idle ones. A fence is busy only while its own call is under way. After a
/// failure it waits before the next call, longer each time.
/// </summary>
/// <remarks>Bounded by the fences there are: each waits at most once as revoked and once as idle.</remarks>
/// <param name="session">Whose registrations.</param>
/// <param name="time">The clock of holds and of the waits after failures.</param>
/// <param name="drainAgain">Takes a revoked fence back at which something was in flight when its turn had come.</param>
internal sealed class FenceWithdrawals(GatewaySession session, TimeProvider time, Action<ResourceFence> drainAgain)
{
    private readonly ConcurrentQueue<ResourceFence> _revoked = new();
    private readonly ConcurrentQueue<ResourceFence> _idle = new();
    private int _pumping;
    private int _failures;
    private volatile bool _stopped;

    private bool IsEmpty => _revoked.IsEmpty && _idle.IsEmpty;

    public void Stop() => _stopped = true;

    /// <summary>Withdraws the registration of a fence that is <see cref="ResourceFence.Revoking"/>, and goes on until it has, or until there
    /// is none.</summary>
    public void WithdrawRevoked(ResourceFence fence)
    {
        _revoked.Enqueue(fence);
        Start();
    }

    /// <summary>Withdraws the registration of a fence if nothing was admitted there when its turn has come, and nothing is in flight or in
    /// doubt. A failure is left to the next look.</summary>
    /// <param name="fence">The fence.</param>
    /// <param name="evenIfUsed">Also if something was admitted since idle fences were last looked for.</param>
    public void WithdrawIdle(ResourceFence fence, bool evenIfUsed = false)
    {
        lock (fence.Gate)
        {
            if (!fence.TryAwaitWithdrawLocked(time.GetTimestamp(), evenIfUsed))
            {
                return;
            }
        }

        _idle.Enqueue(fence);
        Start();
    }

    private void Start()
    {
        if (Interlocked.Exchange(ref _pumping, 1) == 0)
        {
            _ = PumpAsync();
        }
    }

    private async Task PumpAsync()
    {
        do
        {
            while (!IsEmpty && !_stopped)
            {
                // Whoever comes while a batch is under way goes with the next one.
                await Task.Yield();
                if (!await WithdrawNextAsync())
                {
                    await Task.Delay(RetryDelay.After(++_failures), time);
                }
            }

            Interlocked.Exchange(ref _pumping, 0);
        }
        while (!IsEmpty && !_stopped && Interlocked.Exchange(ref _pumping, 1) == 0);
    }

    private async Task<bool> WithdrawNextAsync()
    {
        List<Withdrawal> batch = [];
        while (batch.Count < Registration.MaxBatch && TryDequeue(out var fence, out var isRevoked))
        {
            if (TryBegin(fence, isRevoked, out var registration))
            {
                batch.Add(new Withdrawal(fence, registration, isRevoked));
            }
        }

        var done = true;
        foreach (var group in batch.GroupBy(withdrawal => withdrawal.Registration.Session!))
        {
            done &= await WithdrawAsync(group.Key, [.. group]);
        }

        return done;
    }

    private bool TryDequeue([NotNullWhen(true)] out ResourceFence? fence, out bool isRevoked) =>
        (isRevoked = _revoked.TryDequeue(out fence)) || _idle.TryDequeue(out fence);

    private bool TryBegin(ResourceFence fence, bool isRevoked, out FenceRegistration registration)
    {
        registration = default;
        bool isWanted;
        lock (fence.Gate)
        {
            isWanted = isRevoked ? fence.NeedsWithdrawalLocked : fence.TakeTurnLocked();
            if (isWanted && fence.TryBeginWithdrawLocked(time.GetTimestamp(), out registration))
            {
                return true;
            }

            fence.Revoking = isRevoked ? isWanted : fence.Revoking;
        }

        if (isRevoked && isWanted)
        {
            drainAgain(fence);
        }

        return false;
    }

    private async Task<bool> WithdrawAsync(StoreSession of, List<Withdrawal> batch)
    {
        var done = true;
        try
        {
            await session.WithdrawAsync(of.Id, [.. batch.Select(next => new Registration(next.Fence.Resource, next.Registration.Sequence))]);
            _failures = 0;
        }
        catch (Exception)
        {
            // Whatever it was, the registrations may still be there; without this loop they would stay.
            done = false;
        }

        batch.ForEach(withdrawal => End(withdrawal, done));
        return done;
    }

    /// <summary>A revoked registration whose withdrawal may not have been heard of holds others back until it is.</summary>
    private void End(Withdrawal withdrawal, bool done)
    {
        var (fence, registration, revoked) = withdrawal;
        FenceTable.Finish(fence, () =>
        {
            fence.EndWithdrawLocked(registration, done);
            fence.Revoking &= !(revoked && done);
        });
        if (revoked && !done)
        {
            _revoked.Enqueue(fence);
        }
    }

    private readonly record struct Withdrawal(ResourceFence Fence, FenceRegistration Registration, bool IsRevoked);
}
