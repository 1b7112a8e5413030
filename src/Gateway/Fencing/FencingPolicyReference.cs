namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// A policy's name, attached to endpoints as metadata, and what it stands for at the moment. A reload swaps
/// <see cref="Current"/>: endpoints of routes that did not change see the new policy, requests in flight keep the old one.
/// </summary>
internal sealed class FencingPolicyReference(FencingPolicy policy)
{
    private volatile FencingPolicy _current = policy;

    public FencingPolicy Current
    {
        get => _current;
        set => _current = value;
    }
}
