using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Problems;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Resilience.CircuitBreaking;

/// <summary>
/// Takes destinations whose circuit is open out of an attempt's choice, and sends it as a probe to one whose break is
/// over. Refuses it where none is left.
/// </summary>
internal sealed class CircuitBreakerMiddleware(RequestDelegate next, Attempts attempts)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Features.GetRequiredFeature<GatewayRequest>();
        return request.Mechanisms(context).Circuits is not { AllClosed: false } circuits
            ? next(context)
            : ChooseAsync(context, request, circuits);
    }

    private Task ChooseAsync(HttpContext context, GatewayRequest request, ClusterCircuits circuits)
    {
        var proxy = context.GetReverseProxyFeature();
        var available = proxy.AvailableDestinations;
        var (closed, probe) = circuits.Choose(available);
        if (probe is not null)
        {
            // A session must not move only because its request came at the moment of a probe.
            var isSticky = proxy.Cluster.Config.SessionAffinity?.Enabled == true;
            proxy.AvailableDestinations = isSticky ? [.. closed, probe.Destination] : [probe.Destination];
            return ProbeAsync(context, request, proxy, probe);
        }

        if (closed.Count == 0 && available.Count > 0)
        {
            return RefuseAsync(context, request, circuits, available);
        }

        proxy.AvailableDestinations = closed;
        return next(context);
    }

    private async Task ProbeAsync(
        HttpContext context, GatewayRequest request, IReverseProxyFeature proxy, PendingProbe probe)
    {
        var before = request.Attempts.Count;
        AttemptResult? result = null;
        try
        {
            await next(context);
            attempts.End(context, request);
            if (request.Attempts.Count > before && ClusterCircuits.DestinationOf(proxy) == probe.Destination)
            {
                result = request.Attempts.Last;
            }
        }
        finally
        {
            probe.Circuit.EndProbe(probe.Reserved, result);
        }
    }

    private static Task RefuseAsync(
        HttpContext context, GatewayRequest request, ClusterCircuits circuits,
        IReadOnlyList<DestinationState> available)
    {
        var retryAfter = circuits.Shed(available);
        if (request.Attempts.MayBeApplied)
        {
            // The answer is about the attempt which may have been applied.
            return Task.CompletedTask;
        }

        return ProblemResponse.WriteAsync(
            context, ProblemType.CircuitOpen,
            "No destination of this route's cluster takes requests now: too many attempts have failed, or an operator "
            + "keeps requests away. This one was not forwarded; try again.",
            retryAfter);
    }
}
