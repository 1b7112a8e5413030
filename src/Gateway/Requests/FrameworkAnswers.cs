using FenceGateway.Gateway.Problems;
using Microsoft.AspNetCore.WebUtilities;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Requests;

/// <summary>
/// What routing, YARP's session affinity and their like refuse is a bare status, which a client would take for the
/// service's answer. It becomes an answer of the gateway's own. What the service has answered stays as it is, be it
/// bare as well.
/// </summary>
internal static class FrameworkAnswers
{
    /// <summary>Whether the response is neither the service's answer nor one that the gateway has given
    /// already.</summary>
    public static bool IsBare(HttpContext context, GatewayRequest request) =>
        context.Response is { HasStarted: false, StatusCode: >= 400 and not StatusCodes.Status499ClientClosedRequest }
        && request is { Problem: null, IsReplayed: false, Attempts: not { Last: not null, Status: > 0 } };

    /// <summary>Says whose answer it is, and of which problem.</summary>
    public static Task WriteAsync(HttpContext context)
    {
        var status = context.Response.StatusCode;
        var allow = context.Response.Headers.Allow;
        return status switch
        {
            StatusCodes.Status404NotFound => ProblemResponse.WriteAsync(
                context, ProblemType.RouteNotFound, "No route of this gateway matches the request."),
            StatusCodes.Status504GatewayTimeout => ProblemResponse.WriteAsync(
                context, ProblemType.UpstreamTimeout, "The route's Timeout passed before the request had ended."),
            _ => ProblemResponse.WriteAsync(context, Bare(status), Explain(context, status), RetryAfter(status), allow),
        };
    }

    private static Problem Bare(int status) => new(status, null, ReasonPhrases.GetReasonPhrase(status), status switch
    {
        StatusCodes.Status503ServiceUnavailable => "destination_unavailable",
        StatusCodes.Status405MethodNotAllowed => "http_request_denied",
        >= 500 => "proxy_internal_error",
        _ => "http_request_error",
    });

    private static TimeSpan? RetryAfter(int status) =>
        status == StatusCodes.Status503ServiceUnavailable ? ProblemResponse.Soon : null;

    private static string Explain(HttpContext context, int status)
    {
        const string NotForwarded = "This request was not forwarded.";
        return status switch
        {
            StatusCodes.Status405MethodNotAllowed =>
                $"No route of this gateway takes {context.Request.Method} here. {NotForwarded}",
            StatusCodes.Status503ServiceUnavailable when IsSticky(context) =>
                $"The destination that the session of this request belongs to is not available. {NotForwarded}",
            StatusCodes.Status503ServiceUnavailable =>
                $"The route has no cluster that could take the request. {NotForwarded}",
            _ => $"The gateway does not take the request as it is. {NotForwarded}",
        };
    }

    private static bool IsSticky(HttpContext context) =>
        context.Features.Get<IReverseProxyFeature>()?.Cluster.Config.SessionAffinity?.Enabled == true;
}
