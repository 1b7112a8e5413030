using System.Runtime.CompilerServices;
using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// YARP's content of a request that has a body. It knows whose body it is and does not tell; a mark on the request, or
/// a content around this one, would cost more memory than all else that a fenced write takes.
/// </summary>
internal static class ForwardedBody
{
    private const string ContentType = "Yarp.ReverseProxy.Forwarder.StreamCopyHttpContent";

    private static readonly Type? OfYarp = typeof(IHttpForwarder).Assembly.GetType(ContentType);

    /// <summary>The request that the body belongs to; null for a content that is not known.</summary>
    public static HttpContext? ContextOf(HttpContent? content) =>
        content is FlushingContent flushing ? ContextOf(flushing.Body)
        : content is not null && content.GetType() == OfYarp ? Context(content)
        : null;

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_context")]
    private static extern ref HttpContext Context(
        [UnsafeAccessorType(ContentType + ", Yarp.ReverseProxy")] object content);
}
