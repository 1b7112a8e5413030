using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// Gives a request the content that it goes out with: an <see cref="EmptyContent"/> where there is none and HttpClient must not send
/// it again by itself, a <see cref="FlushingContent"/> where the length is unknown. Here and not in a transform, since YARP's forwarder
/// takes no other content than its own.
/// </summary>
/// <param name="tunnels">What opens tunnels, each on a connection of its own.</param>
internal sealed class RequestContentHandler(HttpMessageInvoker tunnels) : DelegatingHandler
{
    private static readonly HttpRequestOptionsKey<GatewayRequest> SendOnceKey = new("FenceGateway.SendOnce");

    /// <summary>
    /// Marks a request that is sent once although its method is idempotent; one of another method always is. A mark costs memory, so
    /// that a request with content, which HttpClient sends once in any case, gets none.
    /// </summary>
    /// <returns>Whether it is marked.</returns>
    public static bool SendOnce(HttpRequestMessage request, GatewayRequest asked)
    {
        var isEmpty = IsEmpty(request.Content);
        if (isEmpty)
        {
            request.Options.Set(SendOnceKey, asked);
        }

        return isEmpty;
    }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (IsTunnel(request))
        {
            return tunnels.SendAsync(request, cancellationToken);
        }

        if (IsEmpty(request.Content))
        {
            request.Content = IsSentOnce(request, out var asked) ? new EmptyContent(asked, request.Content) : request.Content;
        }
        else if (request.Content!.Headers.ContentLength is null)
        {
            request.Content = new FlushingContent(request.Content);
        }

        return base.SendAsync(request, cancellationToken);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            tunnels.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>An upgrade, or a CONNECT: what follows is no content.</summary>
    private static bool IsTunnel(HttpRequestMessage request) =>
        request.Method == HttpMethod.Connect || request.Headers.NonValidated.Contains("Upgrade");

    private static bool IsEmpty(HttpContent? content) => content is null || content.Headers.ContentLength == 0;

    private static bool IsSentOnce(HttpRequestMessage request, out GatewayRequest? asked)
    {
        var isMarked = request.Options.TryGetValue(SendOnceKey, out asked);
        return isMarked || !RequestSemantics.IsIdempotent(request.Method.Method);
    }
}
