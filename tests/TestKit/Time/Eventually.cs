namespace FenceGateway.TestKit;

/// <summary>Waits for something that others bring about and do not tell.</summary>
public static class Eventually
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// Asks until it is so; <see cref="TimeoutException"/> names <paramref name="what"/> was missing.
    /// </summary>
    public static Task IsSoAsync(Func<bool> condition, string what, TimeSpan? limit = null) =>
        IsSoAsync(() => Task.FromResult(condition()), what, limit);

    /// <summary>The same.</summary>
    /// <param name="condition">What is asked, one question after the other.</param>
    /// <param name="what">What is awaited.</param>
    /// <param name="limit">How long; default <see cref="TimeLimit.Default"/>.</param>
    /// <param name="isNotYet">Which failures of the question mean that it is not so yet; default: none.</param>
    public static async Task IsSoAsync(
        Func<Task<bool>> condition, string what, TimeSpan? limit = null, Func<Exception, bool>? isNotYet = null)
    {
        using var end = new CancellationTokenSource();
        Exception? last = null;
        var asking = AskAsync();
        try
        {
            await asking.WithinLimit(what, limit);
        }
        catch (TimeoutException e) when (last is not null && !asking.IsCompleted)
        {
            throw new TimeoutException($"{e.Message}; the last question failed: {last.Message}", last);
        }
        finally
        {
            await end.CancelAsync();
        }

        async Task AskAsync()
        {
            for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
            {
                try
                {
                    if (await condition())
                    {
                        return;
                    }

                    last = null;
                }
                catch (Exception e) when (isNotYet?.Invoke(e) == true)
                {
                    last = e;
                }

                await Task.Delay(pause, TimeProvider.System, end.Token);
            }
        }
    }
}
