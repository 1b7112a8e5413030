using System.Net;
using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// Content of no bytes, for a request that is sent once: HttpClient may send one without content a second time when its
/// connection ends before an answer, and does so with any content of HTTP/2 that the service has refused or said
/// goodbye to. One admission is at most one send (I6), and the request leaves only while it may.
/// </summary>
internal sealed class EmptyContent : HttpContent
{
    private readonly GatewayRequest? _request;
    private bool _isSent;

    /// <param name="request">Whom to ask; null for a request that is not looked at.</param>
    /// <param name="like">Whose headers it has; null for none.</param>
    public EmptyContent(GatewayRequest? request = null, HttpContent? like = null)
    {
        _request = request;
        if (like is not null)
        {
            foreach (var (name, values) in like.Headers.NonValidated)
            {
                Headers.TryAddWithoutValidation(name, values);
            }
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return true;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        if (_isSent)
        {
            throw new InvalidOperationException(
                "The request was sent before, and is not sent again without another look at it.");
        }

        _isSent = true;
        _request?.ThrowUnlessMayGo();
        return Task.CompletedTask;
    }
}
