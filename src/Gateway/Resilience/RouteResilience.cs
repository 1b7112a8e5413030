namespace FenceGateway.Gateway.Resilience;

/// <summary>
/// A route's mechanisms, attached to its endpoint as metadata. A reload swaps <see cref="Current"/>: requests in progress keep
/// what they began with.
/// </summary>
internal sealed class RouteResilience(RouteMechanisms mechanisms)
{
    private volatile RouteMechanisms _current = mechanisms;

    public RouteMechanisms Current
    {
        get => _current;
        set => _current = value;
    }
}
