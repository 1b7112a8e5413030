using System.Collections.Concurrent;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Lifecycle;
using FenceGateway.Gateway.Problems;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Telemetry;
using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>
/// Lets a request on when it has a place at its resource, its route and its cluster. The places are given back by who
/// stands around this, with the end of the request, so that a free place costs no task of its own.
/// </summary>
internal sealed class BulkheadMiddleware(
    RequestDelegate next,
    ShutdownSignal shutdown,
    FenceRefusals refusals,
    BulkheadMetrics metrics,
    TimeProvider time,
    ILogger<BulkheadMiddleware> logger)
{
    private static readonly BulkheadScope[] Order =
        [BulkheadScope.Resource, BulkheadScope.Route, BulkheadScope.Cluster];
    private readonly ConcurrentDictionary<BulkheadName, LogThrottle> _refused = new();

    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Features.GetRequiredFeature<GatewayRequest>();
        if (request.Mechanisms(context).Bulkheads is not { } bulkheads || bulkheads.TryEnter(context, request))
        {
            return next(context);
        }

        return EnterAsync(context, request, bulkheads);
    }

    private async Task EnterAsync(HttpContext context, GatewayRequest request, RouteBulkheads bulkheads)
    {
        using (var wait = new RequestWait(context, shutdown))
        {
            foreach (var scope in Order)
            {
                if (bulkheads.Name(scope) is not { } name)
                {
                    continue;
                }

                var status = await EnterAsync(scope, name, context, request, bulkheads, wait.Token);
                if (status != PlaceStatus.Taken)
                {
                    // Before the answer: a client that is slow to read it holds nobody up.
                    request.Places.Release();
                    await (status is null && wait.End is not WaitEnd.TimedOut and var end
                        ? GiveUpAsync(context, request, end)
                        : RefuseAsync(
                            context, request, name, status ?? PlaceStatus.TimedOut, bulkheads.QueueTimeout(scope)));
                    return;
                }
            }
        }

        await next(context);
    }

    /// <summary>Null when the wait has ended before its own time.</summary>
    private async ValueTask<PlaceStatus?> EnterAsync(
        BulkheadScope scope,
        BulkheadName name,
        HttpContext context,
        GatewayRequest request,
        RouteBulkheads bulkheads,
        CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var entering = bulkheads.EnterAsync(scope, context, request, cancellationToken);
        if (entering.IsCompletedSuccessfully)
        {
            return await entering;
        }

        PlaceStatus? status = null;
        try
        {
            status = await entering;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Why is told apart by who answers.
        }

        metrics.Waited(name, status, time.GetElapsedTime(started));
        return status;
    }

    private Task RefuseAsync(
        HttpContext context, GatewayRequest request, BulkheadName name, PlaceStatus status, TimeSpan queueTimeout)
    {
        metrics.Rejected(name, status);
        if (status == PlaceStatus.Stale)
        {
            return refusals.RefuseAsync(
                context, request.Policy!, FenceCheck.Stale(request.Token, request.Fence!), next);
        }

        Report(name, status, request);
        var places = name.Scope switch
        {
            BulkheadScope.Resource => "the places of this resource",
            BulkheadScope.Route => "the places of this route",
            _ => "the places of this service",
        };
        var why = status == PlaceStatus.Full
            ? $"All of {places} are taken, and no more requests may wait for one."
            : $"None of {places} became free in time.";
        return ProblemResponse.WriteAsync(
            context, ProblemType.BulkheadFull, $"{why} This request was not forwarded; try again.", queueTimeout);
    }

    private Task GiveUpAsync(HttpContext context, GatewayRequest request, WaitEnd end)
    {
        if (end == WaitEnd.ClientLeft && request.NeedsAdmission)
        {
            refusals.Abandon(context, request);
            return Task.CompletedTask;
        }

        return RequestWait.GiveUpAsync(context, end);
    }

    /// <summary>A flood of refusals must not flood the log.</summary>
    private void Report(BulkheadName name, PlaceStatus status, GatewayRequest request)
    {
        if (_refused.GetOrAdd(name, static (_, time) => new LogThrottle(time), time).Count() is { } count)
        {
            var resource = request.Fence?.Resource.Value ?? "no fenced resource";
            logger.TurnsAway(name.Scope.Name(), name.Name, status.Name(), count, resource, LogThrottle.Pause);
        }
    }
}
