using System.Runtime.CompilerServices;
using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Requests;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>
/// The bulkheads in force on a route. Places are taken in one order, resource, route, cluster: so nobody waits in a
/// circle, and what a hot resource has waiting takes no place of the route.
/// </summary>
internal sealed class RouteBulkheads(ResourceBulkheads? resources, Bulkhead? route, Bulkhead? cluster)
{
    public ResourceBulkheads? Resources => resources;

    public Bulkhead? Route => route;

    public Bulkhead? Cluster => cluster;

    /// <summary>
    /// Takes all places if they are free at once. False: those taken so far are held, <see cref="EnterAsync"/> goes on.
    /// </summary>
    public bool TryEnter(HttpContext context, GatewayRequest request)
    {
        var (fence, token) = TurnOf(request);
        return (fence is null || token >= fence.Mark)
            && (Resources is null || TryEnterResource(Resources, context, request, token))
            && (Route is null || TryEnter(Route, request))
            && (Cluster is null || TryEnter(Cluster, request));
    }

    /// <summary>The name of the bulkhead of <paramref name="scope"/>; null when there is none.</summary>
    public BulkheadName? Name(BulkheadScope scope) =>
        scope == BulkheadScope.Resource ? Resources?.Name : (scope == BulkheadScope.Route ? Route : Cluster)?.Name;

    /// <summary>How long a request waits at most at <paramref name="scope"/>.</summary>
    public TimeSpan QueueTimeout(BulkheadScope scope) => scope == BulkheadScope.Resource
        ? Resources!.Policy.QueueTimeout
        : (scope == BulkheadScope.Route ? Route : Cluster)!.QueueTimeout;

    /// <summary>Takes the place at <paramref name="scope"/>, unless it is held or there is nothing to take.</summary>
    public ValueTask<PlaceStatus> EnterAsync(
        BulkheadScope scope, HttpContext context, GatewayRequest request, CancellationToken cancellationToken)
    {
        if (request.Places.Has(scope))
        {
            return new(PlaceStatus.Taken);
        }

        return scope switch
        {
            BulkheadScope.Resource when Resources is not null =>
                EnterResourceAsync(Resources, context, request, cancellationToken),
            BulkheadScope.Route when Route is not null => EnterOneAsync(Route, request, cancellationToken),
            BulkheadScope.Cluster when Cluster is not null => EnterOneAsync(Cluster, request, cancellationToken),
            _ => new(PlaceStatus.Taken),
        };
    }

    /// <summary>
    /// An attempt has ended: what adaptive limits learn from. Only what the service did, or did not do in time, counts.
    /// </summary>
    public void Sample(in AttemptResult attempt)
    {
        if (attempt.Fault is AttemptFault.None or AttemptFault.TimedOut
            && attempt.Status != StatusCodes.Status101SwitchingProtocols)
        {
            // A service that says itself that it has too much does not do it faster.
            var dropped = attempt.Fault == AttemptFault.TimedOut
                || attempt.Status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable;
            Route?.Sample(attempt.ServiceTime, dropped);
            Cluster?.Sample(attempt.ServiceTime, dropped);
        }
    }

    /// <summary>
    /// What orders a request among those of its resource. Where the fence only reports, nothing does.
    /// </summary>
    private static (ResourceFence? Fence, long Token) TurnOf(GatewayRequest request) =>
        request.NeedsAdmission && request.Policy!.Mode == FencingMode.Enforce
            ? (request.Fence, request.Token.Value)
            : (null, 0);

    private static bool TryEnter(Bulkhead bulkhead, GatewayRequest request)
    {
        var entered = bulkhead.TryEnter();
        if (entered)
        {
            request.Places.Keep(bulkhead);
        }

        return entered;
    }

    private static bool TryEnterResource(
        ResourceBulkheads resources, HttpContext context, GatewayRequest request, long token)
    {
        if (request.Fence is not { } fence)
        {
            return TryEnterRendered(resources, context, request);
        }

        var key = fence.Resource.Value;
        var entered = resources.TryEnter(key, key, token, out var bulkhead);
        if (entered)
        {
            request.Places.Keep(bulkhead!, token);
        }

        return entered;
    }

    /// <summary>Apart, so that only who renders a key pays for its place on the stack.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryEnterRendered(ResourceBulkheads resources, HttpContext context, GatewayRequest request)
    {
        var key = RequestResource.Render(context, stackalloc char[ResourceKey.MaxBytes]);
        if (key.IsEmpty)
        {
            return true;
        }

        var entered = resources.TryEnter(key, text: null, token: 0, out var bulkhead);
        if (entered)
        {
            request.Places.Keep(bulkhead!, token: 0);
        }

        return entered;
    }

    private static ValueTask<PlaceStatus> EnterResourceAsync(
        ResourceBulkheads resources, HttpContext context, GatewayRequest request, CancellationToken cancellationToken)
    {
        var (fence, token) = TurnOf(request);
        var key = request.Fence is { } named
            ? named.Resource.Value
            : RequestResource.Render(context, stackalloc char[ResourceKey.MaxBytes]);
        if (key.IsEmpty)
        {
            return new(PlaceStatus.Taken);
        }

        var entering = resources.EnterAsync(key, fence, token, out var bulkhead, cancellationToken);
        return KeepAsync(entering, bulkhead, token, request);
    }

    private static async ValueTask<PlaceStatus> KeepAsync(
        ValueTask<PlaceStatus> entering, ResourceBulkhead bulkhead, long token, GatewayRequest request)
    {
        var status = await entering;
        if (status == PlaceStatus.Taken)
        {
            request.Places.Keep(bulkhead, token);
        }

        return status;
    }

    private static async ValueTask<PlaceStatus> EnterOneAsync(
        Bulkhead bulkhead, GatewayRequest request, CancellationToken cancellationToken)
    {
        var (fence, token) = TurnOf(request);
        var status = await bulkhead.EnterAsync(fence, token, cancellationToken);
        if (status == PlaceStatus.Taken)
        {
            request.Places.Keep(bulkhead);
        }

        return status;
    }
}
