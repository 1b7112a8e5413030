using System.Net;
using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// A request body of unknown length that goes out as it comes in: HttpClient keeps what does not fill its buffer until
/// the end, which a client that streams small pieces would wait for in vain.
/// </summary>
internal sealed class FlushingContent : HttpContent
{
    public FlushingContent(HttpContent body)
    {
        Body = body;
        foreach (var (name, values) in body.Headers.NonValidated)
        {
            Headers.TryAddWithoutValidation(name, values);
        }
    }

    public HttpContent Body { get; }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(
        Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        Body.CopyToAsync(new FlushingStream(stream), context, cancellationToken);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Body.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>Flushes after each write.</summary>
    private sealed class FlushingStream(Stream inner) : AsyncStream
    {
        public override bool CanWrite => true;

        public override async ValueTask WriteAsync(
            ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await inner.WriteAsync(buffer, cancellationToken);
            await inner.FlushAsync(cancellationToken);
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);
    }
}
