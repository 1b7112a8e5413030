using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Lifecycle;

/// <summary>Whether the gateway should get traffic, and if not, why.</summary>
internal sealed class HealthState(StoreClient store, RouterState router, ShutdownSignal shutdown)
{
    private volatile bool _started;

    /// <summary>Everything listens.</summary>
    public void Started() => _started = true;

    /// <summary>Each check with what is wrong with it; null means it passes.</summary>
    public IEnumerable<KeyValuePair<string, string?>> Checks()
    {
        yield return new("started", _started ? null : "The gateway is starting.");
        yield return new("tokenStore", store.Fault);
        yield return new("router", router.Fault);
        yield return new("shutdown", shutdown.IsAnnounced ? "The gateway is shutting down." : null);
    }
}
