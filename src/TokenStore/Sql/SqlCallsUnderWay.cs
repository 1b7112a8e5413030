namespace FenceGateway.TokenStore.Sql;

/// <summary>
/// The calls that one opening of a store has under way, so that none outlives its use. A call is given up when nothing has come for longer
/// than the server's own limits allow: its connection has silently gone (a firewall, a NAT). All of them are given up when the store is
/// closed: a commit that waits for a replica would stay on the server, and one more with every opening.
/// </summary>
internal sealed class SqlCallsUnderWay(TimeProvider time)
{
    /// <summary>Longer than what the stores let a server wait for locks, and work on a statement.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(15);

    private readonly Lock _lock = new();
    private readonly HashSet<SqlCallUnderWay> _calls = [];

    /// <summary>Awaits a call. The caller goes on as soon as its token fires; the call goes on too, and nobody hears how it ends.</summary>
    public static async ValueTask<T> AwaitAsync<T>(Task<T> running, CancellationToken cancellationToken)
    {
        try
        {
            return await running.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (!running.IsCompleted)
        {
            _ = running.ContinueWith(
                static abandoned => abandoned.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            throw;
        }
    }

    /// <summary>A call begins.</summary>
    /// <param name="end">What ends it at the server, beyond its token. May block: it gets a thread of its own.</param>
    public SqlCallUnderWay Begin(Action? end = null)
    {
        var call = new SqlCallUnderWay(this, end, time);
        lock (_lock)
        {
            _calls.Add(call);
        }

        return call;
    }

    public void GiveUpAll()
    {
        List<SqlCallUnderWay> calls;
        lock (_lock)
        {
            calls = [.. _calls];
        }

        calls.ForEach(call => call.GiveUp());
    }

    internal void Remove(SqlCallUnderWay call)
    {
        lock (_lock)
        {
            _calls.Remove(call);
        }
    }
}
