namespace FenceGateway.Gateway.Resilience.Retries;

/// <summary>
/// Keeps retries a bounded share of live traffic, so that they cannot multiply the load of a service in trouble: over
/// the last ten seconds at most <c>ratio</c> retries per request, and three in any case so that a quiet route can retry
/// at all.
/// </summary>
/// <remarks>
/// After Envoy's retry budgets (which count what is active) and Finagle's (which count over a window). Safe for use by
/// several threads.
/// </remarks>
internal sealed class RetryBudget(double ratio, TimeProvider time)
{
    /// <summary>Retries that are possible within the window however few requests there were.</summary>
    public const int Reserve = 3;

    private const int Slots = 10;
    private readonly Lock _gate = new();
    private readonly int[] _requests = new int[Slots];
    private readonly int[] _retries = new int[Slots];
    private readonly long _slotTicks = time.TimestampFrequency;
    private long _slot;
    private long _requestsSum;
    private long _retriesSum;

    /// <summary>Retries per request, at most.</summary>
    public double Ratio => ratio;

    /// <summary>A request has begun.</summary>
    public void CountRequest()
    {
        lock (_gate)
        {
            MoveOnLocked();
            _requests[_slot % Slots]++;
            _requestsSum++;
        }
    }

    /// <summary>Takes a retry out of the budget, if there is one left.</summary>
    public bool TryTake()
    {
        lock (_gate)
        {
            MoveOnLocked();
            if (_retriesSum >= Math.Max(Reserve, (long)(_requestsSum * ratio)))
            {
                return false;
            }

            _retries[_slot % Slots]++;
            _retriesSum++;
            return true;
        }
    }

    private void MoveOnLocked()
    {
        var now = time.GetTimestamp() / _slotTicks;
        var from = Math.Max(_slot + 1, now - Slots + 1);
        for (var slot = from; slot <= now; slot++)
        {
            _requestsSum -= _requests[slot % Slots];
            _retriesSum -= _retries[slot % Slots];
            _requests[slot % Slots] = _retries[slot % Slots] = 0;
        }

        _slot = Math.Max(_slot, now);
    }
}
