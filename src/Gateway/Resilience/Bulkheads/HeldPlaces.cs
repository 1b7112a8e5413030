namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>The places that one request holds. Part of the request's own object.</summary>
internal struct HeldPlaces
{
    private ResourceBulkhead? _resource;
    private long _token;
    private Bulkhead? _route;
    private Bulkhead? _cluster;

    public readonly bool Has(BulkheadScope scope) => scope switch
    {
        BulkheadScope.Resource => _resource is not null,
        BulkheadScope.Route => _route is not null,
        _ => _cluster is not null,
    };

    public void Keep(ResourceBulkhead bulkhead, long token) => (_resource, _token) = (bulkhead, token);

    public void Keep(Bulkhead bulkhead)
    {
        if (bulkhead.Name.Scope == BulkheadScope.Route)
        {
            _route = bulkhead;
        }
        else
        {
            _cluster = bulkhead;
        }
    }

    /// <summary>Gives all of them back; a second time does nothing.</summary>
    public void Release()
    {
        var (resource, route, cluster) = (_resource, _route, _cluster);
        (_resource, _route, _cluster) = (null, null, null);
        cluster?.Exit();
        route?.Exit();
        resource?.Exit(_token);
    }
}
