namespace FenceGateway.TokenStore.Postgres;

/// <summary>
/// The calls that one opening of a store has under way, so that none outlives its use. All of them are given up when
/// the store is closed: a commit that waits for a replica would stay on the server, and one more with every opening.
/// </summary>
internal sealed class PostgresCallsUnderWay(TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly HashSet<PostgresCallUnderWay> _calls = [];

    /// <summary>A call begins.</summary>
    public PostgresCallUnderWay Begin()
    {
        var call = new PostgresCallUnderWay(this, time);
        lock (_lock)
        {
            _calls.Add(call);
        }

        return call;
    }

    public void GiveUpAll()
    {
        List<PostgresCallUnderWay> calls;
        lock (_lock)
        {
            calls = [.. _calls];
        }

        calls.ForEach(call => call.GiveUp());
    }

    internal void Remove(PostgresCallUnderWay call)
    {
        lock (_lock)
        {
            _calls.Remove(call);
        }
    }
}
