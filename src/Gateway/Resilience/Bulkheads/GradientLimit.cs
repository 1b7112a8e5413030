namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>
/// Finds how many requests a service takes at once without a queue building up in it, by how its latency answers to
/// load.
/// </summary>
/// <remarks>
/// <para>
/// The gradient step is that of Netflix' concurrency-limits (<c>Gradient2Limit</c>) and of Envoy's adaptive concurrency
/// filter: at the end of each window <c>limit := limit × gradient + √limit</c>, where the gradient, between one half
/// and one, is the latency without load, plus a quarter, over the window's mean latency; the root is the headroom that
/// lets the limit grow while latency does not. At a service that works on <c>c</c> requests at once the limit comes to
/// rest at the solution of <c>limit = 1.25 c + √limit</c>.
/// </para>
/// <para>
/// The latency without load is measured as Envoy and BBR do it, for a mean over all time (Gradient2) would take a
/// lasting queue for the normal state: once in a while the limit is halved for about two round trips. A level that was
/// measured under a queue makes the next probe come sooner and shrinks with each one. A limit that has fallen by half
/// is probed at once: only that tells a queue from a service that takes longer by itself. A window in which no more
/// than half of the limit was used is such a measurement by itself, and changes no limit.
/// </para>
/// <para>What was dropped has no latency: the gradient is at most the share of attempts that were answered, and a
/// window with drops has no headroom. Knows no clock: a window is as many samples as fit in at once, fifty at least.
/// Belongs to a lock.</para>
/// </remarks>
internal sealed class GradientLimit
{
    private const int FewestSamples = 50;
    private const double Tolerance = 1.25;
    private const double SteepestGradient = 0.5;
    private const int WindowsBetweenProbes = 50;
    private const int WindowsAfterSurprise = 5;

    /// <summary>A probe that finds another latency than before by this share may have measured under a queue.</summary>
    private const double Surprise = 0.1;

    private readonly int _min;
    private readonly int _max;
    private double _estimate;
    private double _estimateAtProbe;
    private double _unloaded;
    private double _latencies;
    private int _answered;
    private int _dropped;
    private int _mostInUse;
    private int _toSkip;
    private int _windowsToProbe;
    private bool _probing;

    /// <param name="initial">Where it starts.</param>
    /// <param name="min">It never goes below this.</param>
    /// <param name="max">It never goes above this.</param>
    public GradientLimit(int initial, int min, int max)
    {
        (_min, _max) = (min, max);
        _estimate = Math.Clamp(initial, min, max);
        Limit = (int)_estimate;
    }

    /// <summary>The limit now.</summary>
    public int Limit { get; private set; }

    /// <summary>Takes one attempt into account. Whether the limit has changed.</summary>
    /// <param name="latency">How long it took.</param>
    /// <param name="dropped">Whether the service did not do it: it timed out, or was turned away.</param>
    /// <param name="inUse">Places in use when it ended.</param>
    public bool Sample(TimeSpan latency, bool dropped, int inUse)
    {
        if (_toSkip > 0)
        {
            // It was begun before the limit was lowered.
            _toSkip--;
            return false;
        }

        _mostInUse = Math.Max(_mostInUse, inUse);
        if (dropped)
        {
            _dropped++;
        }
        else
        {
            _answered++;
            _latencies += latency.Ticks;
        }

        if (_answered + _dropped < Math.Max(FewestSamples, Limit))
        {
            return false;
        }

        var before = Limit;
        EndWindow();
        (_latencies, _answered, _dropped, _mostInUse) = (0, 0, 0, 0);
        return Limit != before;
    }

    private void EndWindow()
    {
        if (_probing)
        {
            EndProbe();
        }
        else if (2 * _mostInUse <= Limit)
        {
            LearnUnloaded();
        }
        else if (_windowsToProbe-- <= 0)
        {
            BeginProbe();
        }
        else
        {
            Step();
        }
    }

    private void Step()
    {
        var mean = _answered == 0 ? 0 : _latencies / _answered;
        var byLatency = mean > 0 && _unloaded > 0 ? Tolerance * _unloaded / mean : 1;
        var byDrops = (double)_answered / (_answered + _dropped);
        var gradient = Math.Clamp(Math.Min(byLatency, byDrops), SteepestGradient, 1);
        var headroom = _dropped == 0 ? Math.Sqrt(_estimate) : 0;
        Set(_estimate * gradient + headroom);
        if (_estimate < _estimateAtProbe / 2)
        {
            _windowsToProbe = 0;
        }
    }

    private void BeginProbe()
    {
        _probing = true;
        _toSkip = _mostInUse;
        Limit = Math.Max(_min, (int)(_estimate / 2));
    }

    private void EndProbe()
    {
        _probing = false;
        _windowsToProbe = LearnUnloaded() ? WindowsAfterSurprise : WindowsBetweenProbes;
        Set(_dropped > _answered ? _estimate * SteepestGradient : _estimate);
        _estimateAtProbe = _estimate;
    }

    /// <summary>Takes the window's mean for the latency without load. Whether it is a surprise.</summary>
    private bool LearnUnloaded()
    {
        if (_dropped >= _answered)
        {
            return false;
        }

        var before = _unloaded;
        _unloaded = _latencies / _answered;
        return Math.Abs(_unloaded - before) > before * Surprise;
    }

    private void Set(double estimate)
    {
        _estimate = Math.Clamp(estimate, _min, _max);
        Limit = (int)_estimate;
    }
}
