namespace FenceGateway.TokenStore.Sql;

/// <summary>What the calls of all SQL stores have in common.</summary>
internal static class SqlCalls
{
    /// <summary>
    /// A call is given up when nothing has come for so long, which is longer than what the stores let a server wait for
    /// locks and work on a statement: its connection has silently gone (a firewall, a NAT), or its commit waits for a
    /// replica.
    /// </summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(15);

    /// <summary>
    /// Awaits a call. The caller goes on as soon as its token fires; the call goes on too, and nobody hears how it
    /// ends.
    /// </summary>
    public static async ValueTask<T> AwaitAsync<T>(Task<T> running, CancellationToken cancellationToken)
    {
        try
        {
            return await running.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (!running.IsCompleted)
        {
            _ = running.ContinueWith(
                static abandoned => abandoned.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted,
                TaskScheduler.Default);
            throw;
        }
    }
}
