namespace FenceGateway.Fleet.Tests.World;

/// <summary>Hands out the tokens of a few resources, each higher than all before.</summary>
internal sealed class LockService(int resources)
{
    private readonly Lock _lock = new();
    private readonly long[] _granted = new long[resources];
    private bool _isClosed;

    /// <summary>The token granted last; 1 before the first grant, for a holder who goes on with what it had.</summary>
    public long Newest(int resource)
    {
        lock (_lock)
        {
            return Math.Max(1, _granted[resource]);
        }
    }

    /// <summary>A new holder's token; while closed, the newest one there is.</summary>
    public long Grant(int resource)
    {
        lock (_lock)
        {
            return _isClosed ? Math.Max(1, _granted[resource]) : ++_granted[resource];
        }
    }

    /// <summary>One last token for each resource: nobody gets a higher one before <see cref="Open"/>.</summary>
    public long[] Close()
    {
        lock (_lock)
        {
            _isClosed = true;
            for (var i = 0; i < _granted.Length; i++)
            {
                _granted[i]++;
            }

            return [.. _granted];
        }
    }

    public void Open()
    {
        lock (_lock)
        {
            _isClosed = false;
        }
    }
}
