using FenceGateway.Gateway.Forwarding;
using Polly.CircuitBreaker;

namespace FenceGateway.Gateway.Resilience.CircuitBreaking;

/// <summary>
/// The circuit of one destination. Polly decides when it opens and closes; it is told how attempts ended instead of
/// running them, so that what is never told (R14) cannot count, and a probe that says nothing neither closes nor opens
/// it.
/// </summary>
/// <remarks>An attempt counts only if the circuit has not changed since it began. Safe for use by several
/// threads.</remarks>
internal sealed class Circuit
{
    private readonly Lock _gate = new();
    private readonly Breaker _breaker;
    private readonly ProbeSlots _probes;
    private readonly CircuitEvents _events;
    private readonly TimeProvider _time;
    private volatile CircuitState _state = CircuitState.Closed;
    private long _since;
    private string? _reason;
    private CircuitCounts _counts;

    public Circuit(
        CircuitName name, string address, CircuitBreakerPolicy policy, CircuitEvents events, TimeProvider time)
    {
        (Name, Address, Policy, _events, _time) = (name, address, policy, events, time);
        _since = time.GetTimestamp();
        _probes = new ProbeSlots(policy.HalfOpenProbes, policy.BreakDuration, time);
        _breaker = new Breaker(policy, time);
    }

    public CircuitName Name { get; }

    /// <summary>The destination's address; a destination that moves gets another circuit.</summary>
    public string Address { get; }

    public CircuitBreakerPolicy Policy { get; }

    public bool IsClosed => _state == CircuitState.Closed;

    /// <summary>The state; half-open as soon as the break is over.</summary>
    public CircuitState State
    {
        get
        {
            lock (_gate)
            {
                return StateLocked(_time.GetTimestamp());
            }
        }
    }

    /// <summary>Why an operator has isolated it; null when it is not isolated.</summary>
    public string? IsolatedFor
    {
        get
        {
            lock (_gate)
            {
                return _state == CircuitState.Isolated ? _reason : null;
            }
        }
    }

    /// <summary>How long until another try can be worth it; zero when that is not known.</summary>
    public TimeSpan RetryAfter
    {
        get
        {
            lock (_gate)
            {
                return _state switch
                {
                    CircuitState.Open when Policy.BreakDuration - _time
                        .GetElapsedTime(_since) is { Ticks: > 0 } left => left,
                    CircuitState.Isolated => Policy.BreakDuration,
                    _ => TimeSpan.Zero,
                };
            }
        }
    }

    /// <summary>An attempt has ended.</summary>
    public void Report(in AttemptResult result)
    {
        var verdict = Policy.Judge(result);
        CircuitChange? change = null;
        lock (_gate)
        {
            _counts = _counts.Plus(verdict);
            if (verdict != AttemptVerdict.Neutral && _state == CircuitState.Closed
                && result.Duration <= _time.GetElapsedTime(_since))
            {
                change = TellLocked(verdict, result);
            }
        }

        _events.Attempted(Name, verdict);
        _events.Changed(Name, change);
    }

    /// <summary>Reserves a probe: possible once the break is over, while others leave a place.</summary>
    public Probe? TryProbe()
    {
        Probe? probe = null;
        CircuitChange? change = null;
        lock (_gate)
        {
            var now = _time.GetTimestamp();
            if (StateLocked(now) == CircuitState.HalfOpen)
            {
                change = MoveLocked(CircuitState.HalfOpen, _reason, now);
                probe = _probes.Take(now);
            }
        }

        _events.Changed(Name, change);
        return probe;
    }

    /// <summary>
    /// A probe is over; every reserved one comes here. Its attempt is reported as well, as every attempt is.
    /// </summary>
    /// <param name="probe">What was reserved.</param>
    /// <param name="result">How its attempt ended; null when there was none.</param>
    public void EndProbe(Probe probe, AttemptResult? result)
    {
        CircuitChange? change = null;
        lock (_gate)
        {
            _probes.Give(probe);
            if (_state == CircuitState.HalfOpen && probe.TakenAt >= _since
                && result is { } ended && Policy.Judge(ended) is not AttemptVerdict.Neutral and var verdict)
            {
                change = TellLocked(verdict, ended);
            }
        }

        _events.Changed(Name, change);
    }

    /// <summary>
    /// Keeps requests away until <see cref="Close"/>, whatever attempts say. Who calls it writes the audit.
    /// </summary>
    public void Isolate(string reason)
    {
        CircuitChange? change;
        lock (_gate)
        {
            _breaker.Isolate();
            change = MoveLocked(CircuitState.Isolated, reason, _time.GetTimestamp());
            _reason = reason;
        }

        _events.Changed(Name, change);
    }

    /// <summary>Closes it and forgets the attempts so far. Who calls it writes the audit.</summary>
    public void Close(string reason)
    {
        CircuitChange? change;
        lock (_gate)
        {
            _breaker.Close();
            change = MoveLocked(CircuitState.Closed, reason, _time.GetTimestamp());
        }

        _events.Changed(Name, change);
    }

    /// <summary>A request was refused that could have gone to this destination.</summary>
    public void CountShed()
    {
        lock (_gate)
        {
            _counts = _counts with { Shed = _counts.Shed + 1 };
        }
    }

    public CircuitSnapshot Look()
    {
        lock (_gate)
        {
            var now = _time.GetTimestamp();
            var state = StateLocked(now);
            var since = _time.GetUtcNow() - _time.GetElapsedTime(_since, now);
            var until = since + Policy.BreakDuration;
            return new CircuitSnapshot(
                state, state == _state ? since : until, state == CircuitState.Open ? until : null, _reason, _counts);
        }
    }

    private CircuitState StateLocked(long now) =>
        _state == CircuitState.Open && _time.GetElapsedTime(_since, now) >= Policy.BreakDuration
            ? CircuitState.HalfOpen
            : _state;

    private CircuitChange? TellLocked(AttemptVerdict verdict, in AttemptResult result)
    {
        _breaker.Tell(verdict != AttemptVerdict.Succeeded);
        var state = _breaker.State;
        // The time is taken after Polly's, so that its break is over when this one is.
        return state == _state ? null : MoveLocked(state, ReasonLocked(state, result), _time.GetTimestamp());
    }

    private string ReasonLocked(CircuitState state, in AttemptResult last) => (_state, state) switch
    {
        (_, CircuitState.Closed) => "a probe succeeded",
        (CircuitState.HalfOpen, _) => $"a probe failed: {Policy.Describe(last)}",
        _ => $"{_breaker.Failures} of {_breaker.Attempts} attempts failed within "
            + $"{CircuitText.Of(Policy.SamplingDuration)}, last: {Policy.Describe(last)}",
    };

    private CircuitChange? MoveLocked(CircuitState state, string? reason, long now)
    {
        if (state == _state)
        {
            return null;
        }

        var change = new CircuitChange(_state, state, reason, Policy.BreakDuration);
        _probes.Clear();
        (_since, _reason, _state) = (now, reason, state);
        return change;
    }
}
