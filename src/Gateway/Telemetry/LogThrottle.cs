namespace FenceGateway.Gateway.Telemetry;

/// <summary>Counts what is worth a line in the log and must not flood it.</summary>
internal sealed class LogThrottle(TimeProvider time)
{
    /// <summary>From one line to the next.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private long? _saidAt;
    private long _since;

    /// <summary>One more. How many there were since the last line, if it is time for another one.</summary>
    public long? Count()
    {
        lock (_gate)
        {
            _since++;
            if (_saidAt is { } at && time.GetElapsedTime(at) < Pause)
            {
                return null;
            }

            var count = _since;
            (_saidAt, _since) = (time.GetTimestamp(), 0);
            return count;
        }
    }
}
