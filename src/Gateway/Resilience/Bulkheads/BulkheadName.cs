namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>What a bulkhead is for, in the order in which places are taken.</summary>
internal enum BulkheadScope
{
    Resource,
    Route,
    Cluster,
}

/// <param name="Scope">What it is for.</param>
/// <param name="Name">The name of the route (also for its resources) or of the cluster.</param>
internal readonly record struct BulkheadName(BulkheadScope Scope, string Name);
