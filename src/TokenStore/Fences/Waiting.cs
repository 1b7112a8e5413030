using System.Runtime.CompilerServices;

namespace FenceGateway.TokenStore;

/// <summary>
/// Waits that go on in the context in which they began: the simulation of a fleet runs each gateway in one of its own.
/// </summary>
internal static class Waiting
{
    /// <summary>Until a task ends, however it does.</summary>
    public static ConfiguredTaskAwaitable Ending(this Task task) =>
        task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

    /// <summary>
    /// Until a signal comes, its time is up, or nobody wants to know any more. The await is what brings it to the
    /// context: <see cref="Task.WaitAsync(TimeSpan, TimeProvider, CancellationToken)"/> alone goes on in a thread pool.
    /// </summary>
    public static ConfiguredTaskAwaitable SignalAsync(
        this Task signal, TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken = default) =>
        FollowAsync(signal).WaitAsync(atMost, time, cancellationToken).Ending();

    /// <summary>Whoever waits goes on from here, and not in a thread pool.</summary>
    public static void CancelHere(this CancellationTokenSource source) => source.Cancel();

    private static async Task FollowAsync(Task signal) => await signal;
}
