using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.Requests;

/// <summary>What a request means to HTTP, whatever the service behind makes of it (RFC 9110).</summary>
internal static class RequestSemantics
{
    /// <summary>
    /// The methods that the IANA registry calls safe and services use; every other one, known or not, is a write.
    /// </summary>
    public static bool IsSafe(string method) =>
        method is "GET" or "HEAD" or "OPTIONS" or "TRACE" or "PROPFIND" or "REPORT" or "SEARCH" or "QUERY";

    /// <summary>
    /// The methods that the IANA registry calls idempotent, WebDAV's MOVE, COPY and the like left out: a second one
    /// fails.
    /// </summary>
    public static bool IsIdempotent(string method) => IsSafe(method) || method is "PUT" or "DELETE";

    /// <summary>
    /// Whether the request is to be done only as long as the resource is as the client knows it (RFC 9110, 13.1;
    /// WebDAV's <c>If</c>).
    /// </summary>
    public static bool IsConditional(IHeaderDictionary headers) =>
        headers.IfMatch.Count > 0 || headers.IfNoneMatch.Count > 0 || headers.IfUnmodifiedSince.Count > 0
            || headers.ContainsKey("If");

    /// <summary>
    /// Takes away what the request's Connection header says is for this connection only (RFC 9110, 7.6.1).
    /// </summary>
    public static void RemoveHopByHop(IHeaderDictionary headers)
    {
        foreach (var line in headers.Connection)
        {
            var rest = line.AsSpan();
            foreach (var option in rest.Split(','))
            {
                var name = rest[option].Trim(" \t");
                if (name.Length > 0 && !IsOfTheMessage(name))
                {
                    headers.Remove(name.ToString());
                }
            }
        }
    }

    /// <summary>
    /// What frames or routes the message is not for a client to take away; nor are these options, which are no headers
    /// or YARP's to drop.
    /// </summary>
    private static bool IsOfTheMessage(ReadOnlySpan<char> name) =>
        name.Equals("close", StringComparison.OrdinalIgnoreCase)
        || name.Equals("keep-alive", StringComparison.OrdinalIgnoreCase)
        || name.Equals("upgrade", StringComparison.OrdinalIgnoreCase)
        || name.Equals("host", StringComparison.OrdinalIgnoreCase)
        || name.Equals("content-length", StringComparison.OrdinalIgnoreCase)
        || name.Equals("transfer-encoding", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether a body may follow, of whatever length.</summary>
    public static bool CanHaveBody(HttpContext context) =>
        context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody != false;
}
