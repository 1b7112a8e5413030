namespace FenceGateway.Gateway.Resilience.CircuitBreaking;

/// <summary>
/// How many probes may be in flight at once. A place that is not given back in time is free again: a probe may be a
/// stream that nobody ends. Not safe for use by several threads.
/// </summary>
internal sealed class ProbeSlots(int count, TimeSpan lease, TimeProvider time)
{
    private readonly long?[] _takenAt = new long?[count];

    public Probe? Take(long now)
    {
        for (var slot = 0; slot < _takenAt.Length; slot++)
        {
            if (_takenAt[slot] is not { } takenAt || time.GetElapsedTime(takenAt, now) >= lease)
            {
                _takenAt[slot] = now;
                return new Probe(slot, now);
            }
        }

        return null;
    }

    /// <summary>Does nothing if the place is somebody else's by now.</summary>
    public void Give(Probe probe)
    {
        if (_takenAt[probe.Slot] == probe.TakenAt)
        {
            _takenAt[probe.Slot] = null;
        }
    }

    public void Clear() => Array.Clear(_takenAt);
}

/// <summary>A place among the probes of a circuit.</summary>
/// <param name="Slot">Which one.</param>
/// <param name="TakenAt">Since when, in monotonic ticks.</param>
internal readonly record struct Probe(int Slot, long TakenAt);
