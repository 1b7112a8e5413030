namespace FenceGateway.Gateway.Configuration;

/// <summary>
/// What is attached to endpoints as metadata and stands for something that a reload swaps: endpoints of routes that did not
/// change see the new value, requests in progress keep what they began with.
/// </summary>
internal sealed class Reloadable<T>(T current)
    where T : class
{
    private volatile T _current = current;

    public T Current
    {
        get => _current;
        set => _current = value;
    }
}
