using System.Net;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// Content of no bytes. HttpClient may send a request without content a second time when its connection ends before an answer;
/// one with content it never does, so that one admission is at most one send (I6).
/// </summary>
internal sealed class EmptyContent : HttpContent
{
    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return true;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => Task.CompletedTask;
}
