using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// Gives a request the content that it goes out with: an <see cref="EmptyContent"/> where there is none and HttpClient
/// must not send it again by itself, a <see cref="FlushingContent"/> where the length is unknown. Here and not in a
/// transform, since YARP's forwarder takes no other content than its own.
/// </summary>
/// <param name="tunnels">What opens tunnels, each on a connection of its own.</param>
internal sealed class RequestContentHandler(HttpMessageInvoker tunnels) : DelegatingHandler
{
    private static readonly HttpRequestOptionsKey<GatewayRequest> SendOnceKey = new("FenceGateway.SendOnce");

    /// <summary>
    /// Marks a request that is sent once although its method is idempotent; one of another method always is. A mark
    /// costs memory, so that a request with content, which HttpClient sends once in any case, gets none.
    /// </summary>
    public static void SendOnce(HttpRequestMessage request, GatewayRequest asked)
    {
        if (IsEmpty(request.Content))
        {
            request.Options.Set(SendOnceKey, asked);
        }
    }

    /// <summary>
    /// Whether a request that has been made is looked at when its head leaves: a head without a header is not.
    /// </summary>
    public static bool LooksAt(HttpRequestMessage request) =>
        request.Headers.NonValidated.Count > 0 && Asked(request) is not null;

    /// <summary>Looks at a request when its head is made, for the connection or the stream that it has found.</summary>
    /// <exception cref="OperationCanceledException">It may not leave any more.</exception>
    public static void LookAtHead(HttpRequestMessage request)
    {
        if (Asked(request) is { Attempts.HasLeft: false } asked)
        {
            asked.ThrowUnlessMayGo();
        }
    }

    /// <summary>An upgrade, or a CONNECT: what follows is no content.</summary>
    public static bool IsTunnel(HttpRequestMessage request) =>
        request.Method == HttpMethod.Connect || request.Headers.NonValidated.Contains("Upgrade");

    protected override Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (IsTunnel(request))
        {
            return tunnels.SendAsync(request, cancellationToken);
        }

        if (IsEmpty(request.Content))
        {
            request.Content = IsSentOnce(request, out var asked)
                ? new EmptyContent(asked, request.Content)
                : request.Content;
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

    private static bool IsEmpty(HttpContent? content) => content is null || content.Headers.ContentLength == 0;

    private static bool IsSentOnce(HttpRequestMessage request, out GatewayRequest? asked)
    {
        var isMarked = request.Options.TryGetValue(SendOnceKey, out asked);
        return isMarked || !RequestSemantics.IsIdempotent(request.Method.Method);
    }

    private static GatewayRequest? Asked(HttpRequestMessage request) =>
        ForwardedBody.ContextOf(request.Content) is { } context ? context.Features.Get<GatewayRequest>()
        : request.Options.TryGetValue(SendOnceKey, out var asked) ? asked
        : null;
}
