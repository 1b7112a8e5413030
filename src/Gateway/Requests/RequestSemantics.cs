using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.Requests;

/// <summary>What a request means to HTTP, whatever the service behind makes of it (RFC 9110).</summary>
internal static class RequestSemantics
{
    /// <summary>The methods that the IANA registry calls safe and services use; every other one, known or not, is a write.</summary>
    public static bool IsSafe(string method) =>
        method is "GET" or "HEAD" or "OPTIONS" or "TRACE" or "PROPFIND" or "REPORT" or "SEARCH" or "QUERY";

    /// <summary>The methods that the IANA registry calls idempotent, WebDAV's MOVE, COPY and the like left out: a second one fails.</summary>
    public static bool IsIdempotent(string method) => IsSafe(method) || method is "PUT" or "DELETE";

    /// <summary>Whether a body may follow, of whatever length.</summary>
    public static bool CanHaveBody(HttpContext context) =>
        context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody != false;
}
