using System.Net;
using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// The body of an answer of unknown length (server-sent events, a long poll, a stream of gRPC): its head goes to the
/// client at once when nothing of the body is there yet. The forwarder alone would keep it until the first piece comes.
/// </summary>
internal sealed class PromptAnswer(HttpContent body, HttpResponse response) : HttpContent
{
    protected override async Task<Stream> CreateContentReadStreamAsync() =>
        new Source(await body.ReadAsStreamAsync(), response);

    protected override Task<Stream> CreateContentReadStreamAsync(CancellationToken cancellationToken) =>
        CreateContentReadStreamAsync();

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        body.CopyToAsync(stream, context);

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            body.Dispose();
        }

        base.Dispose(disposing);
    }

    private sealed class Source(Stream inner, HttpResponse response) : AsyncStream
    {
        public override bool CanRead => true;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var reading = inner.ReadAsync(buffer, cancellationToken);
            return response.HasStarted || reading.IsCompleted ? reading : SendHeadAsync(reading, cancellationToken);
        }

        private async ValueTask<int> SendHeadAsync(ValueTask<int> reading, CancellationToken cancellationToken)
        {
            await response.Body.FlushAsync(cancellationToken);
            return await reading;
        }
    }
}
