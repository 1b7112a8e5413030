namespace FenceGateway.TestKit;

/// <summary>How long a test waits for something that must happen, before it fails instead of hanging.</summary>
public static class TimeLimit
{
    public static readonly TimeSpan Default = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How much too early a timer of the runtime or of a server may fire: they read clocks that tick every few
    /// milliseconds.
    /// </summary>
    public static readonly TimeSpan TimerTick = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// Awaits <paramref name="task"/>; <see cref="TimeoutException"/> names <paramref name="what"/> was missing.
    /// </summary>
    public static async Task<T> WithinLimit<T>(this Task<T> task, string what, TimeSpan? limit = null)
    {
        try
        {
            return await task.WaitAsync(limit ?? Default, TimeProvider.System);
        }
        catch (TimeoutException e) when (!task.IsFaulted)
        {
            throw new TimeoutException($"Not within {(limit ?? Default).TotalSeconds:0.#} s: {what}", e);
        }
    }

    /// <inheritdoc cref="WithinLimit{T}"/>
    public static Task WithinLimit(this Task task, string what, TimeSpan? limit = null) =>
        Untyped(task).WithinLimit(what, limit);

    private static async Task<bool> Untyped(Task task)
    {
        await task;
        return true;
    }
}
