using System.Runtime.CompilerServices;
using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// The body of a bounded write during one attempt. The forwarder sends what it reads here at once, so this is where a piece is looked at
/// before it leaves, and once more at the end of the body, behind which the last of it leaves the connection's buffer.
/// </summary>
internal sealed class GuardedBody(Stream body, GatewayRequest request) : Stream
{
    private volatile bool _isOver;

    /// <summary>What is read is the client's body itself.</summary>
    public Stream Inner => body;

    public override bool CanRead => true;

    public override bool CanSeek => body.CanSeek;

    public override bool CanWrite => false;

    public override long Length => body.Length;

    public override long Position
    {
        get => body.Position;
        set => body.Position = value;
    }

    /// <summary>The attempt is over: nothing more is read for it.</summary>
    public void End() => _isOver = true;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await body.ReadAsync(buffer, cancellationToken);
        if (_isOver)
        {
            throw new OperationCanceledException("The attempt is over.");
        }

        request.ThrowUnlessMayGo();
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => body.Seek(offset, origin);

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Flush()
    {
        // Nothing is written.
    }
}
