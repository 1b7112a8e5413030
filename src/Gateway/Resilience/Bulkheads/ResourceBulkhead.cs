namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>
/// The places of one resource, counted by token. A token does not count places with older ones: they have to drain
/// before it is forwarded, so that they are not at the service together, and its holder is not to wait for them twice.
/// Places without a token count for everybody, and everything counts for a request without one.
/// </summary>
internal sealed class ResourceBulkhead(ResourceBulkheads owner, Lock gate, FencedWaiters fenced, TimeProvider time)
    : PlacePool(gate, fenced, time)
{
    private (long Token, int Count)[] _held = new (long, int)[2];
    private int _kinds;

    /// <summary>Places taken.</summary>
    public int InUse { get; private set; }

    public bool IsIdle => InUse == 0 && Waiting == 0;

    public override TimeSpan QueueTimeout => owner.Policy.QueueTimeout;

    protected override int QueueLimit => owner.Policy.QueueLimit;

    public bool TryEnterLocked(long token)
    {
        var hasPlace = HasPlaceLocked(token);
        if (hasPlace)
        {
            TakeLocked(token);
        }

        return hasPlace;
    }

    protected override bool HasPlaceLocked(long token)
    {
        var limit = owner.Policy.PermitLimit;
        if (InUse < limit || token == 0)
        {
            return InUse < limit;
        }

        var older = 0;
        foreach (var (heldToken, count) in _held.AsSpan(0, _kinds))
        {
            older += heldToken != 0 && heldToken < token ? count : 0;
        }

        return InUse - older < limit;
    }

    protected override void TakeLocked(long token)
    {
        InUse++;
        foreach (ref var held in _held.AsSpan(0, _kinds))
        {
            if (held.Token == token)
            {
                held.Count++;
                return;
            }
        }

        if (_kinds == _held.Length)
        {
            Array.Resize(ref _held, 2 * _kinds);
        }

        _held[_kinds++] = (token, 1);
    }

    protected override void GiveBackLocked(long token)
    {
        for (var i = 0; i < _kinds; i++)
        {
            if (_held[i].Token == token)
            {
                InUse--;
                if (--_held[i].Count == 0)
                {
                    _held[i] = _held[--_kinds];
                }

                return;
            }
        }

        throw new InvalidOperationException("A place was given back that nobody had.");
    }
}
