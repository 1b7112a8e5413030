namespace FenceGateway.Fleet.Tests.Stores;

/// <summary>One server of a store, as far as a fleet test handles it.</summary>
/// <param name="Port">Where it listens, also after a restart.</param>
/// <param name="KillAsync">SIGKILL, and waits until it is gone.</param>
/// <param name="RestartAsync">Starts it again on its data, and waits until it serves.</param>
/// <param name="Pause">SIGSTOP.</param>
/// <param name="Continue">SIGCONT.</param>
/// <param name="Owner">Stops it for good.</param>
/// <param name="RestartEmptyAsync">As <paramref name="RestartAsync"/>, with all of its data lost; null where no test
/// needs it.</param>
internal sealed record StoreServer(
    int Port,
    Func<Task> KillAsync,
    Func<Task> RestartAsync,
    Action Pause,
    Action Continue,
    IAsyncDisposable Owner,
    Func<Task>? RestartEmptyAsync = null);
