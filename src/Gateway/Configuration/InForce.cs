namespace FenceGateway.Gateway.Configuration;

/// <summary>A part of the configuration: what is in force now, and each new one before requests meet it.</summary>
/// <param name="current">Reads what is in force.</param>
/// <param name="follow">Calls back with what is in force and with each new one.</param>
internal sealed class InForce<T>(Func<T> current, Action<Action<T>> follow)
{
    public T Current => current();

    /// <summary>Calls <paramref name="apply"/> with what is in force, and with each new one.</summary>
    public void Follow(Action<T> apply) => follow(apply);
}
