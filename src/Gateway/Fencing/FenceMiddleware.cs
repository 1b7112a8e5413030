using FenceGateway.Gateway.Problems;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// Runs the early checks on endpoints with a fencing policy, before any queue and before a destination is chosen, and
/// keeps ambiguous targets away from services that are fenced on another route.
/// </summary>
internal sealed class FenceMiddleware(
    RequestDelegate next, FenceCheck check, FenceRefusals refusals, FencedServices fenced, FencingMetrics metrics)
{
    public Task InvokeAsync(HttpContext context)
    {
        var endpoint = context.GetEndpoint();
        var policy = endpoint?.Metadata.GetMetadata<FencingPolicy>();
        if (policy is null or { Mode: FencingMode.Off })
        {
            if (FindBypass(context, endpoint) is not { } bypass)
            {
                return next(context);
            }

            context.Features.GetRequiredFeature<GatewayRequest>().Outcome = bypass.Outcome;
            return ProblemResponse.WriteAsync(context, bypass.Type, bypass.Detail);
        }

        var request = context.Features.GetRequiredFeature<GatewayRequest>();
        var refusal = check.Check(context, policy, request);
        if (refusal is null && request.Outcome is { } passed)
        {
            metrics.Check(policy, passed);
        }

        return refusal is null ? next(context) : refusals.RefuseAsync(context, policy, refusal, next);
    }

    /// <summary>
    /// <c>/public/..%2Forders/1</c> matches no fenced route and is <c>/orders/1</c> to many a service: where no policy
    /// stands in the way, an ambiguous target is refused if the service behind is fenced on another route, or if no
    /// route matched.
    /// </summary>
    private FenceRefusal? FindBypass(HttpContext context, Endpoint? endpoint)
    {
        if (fenced.IsEmpty)
        {
            return null;
        }

        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var isTunnel = HttpMethods.IsConnect(context.Request.Method) && !target.StartsWith('/');
        var ambiguity = isTunnel || target == "*" ? null : TargetGuard.FindAmbiguity(target);
        if (!isTunnel && ambiguity is null)
        {
            return null;
        }

        if (endpoint is not null && !fenced.IsBehind(endpoint.Metadata.GetMetadata<RouteModel>()))
        {
            return null;
        }

        return isTunnel
            ? new(FenceOutcome.UpgradeRefused, ProblemType.UpgradeNotFenced, "This gateway opens no tunnels.")
            : FenceCheck.Ambiguous($"its target can be read in more than one way, {ambiguity}");
    }
}
