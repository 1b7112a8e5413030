using System.Runtime.CompilerServices;
using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// The body of a request during one attempt. The forwarder sends what it reads here at once, so this is where a piece
/// of a bounded write is looked at before it leaves, and once more at the end of the body, behind which the last of it
/// leaves the connection's buffer. It also knows how long the client let the gateway wait.
/// </summary>
internal sealed class GuardedBody : AsyncStream
{
    private GatewayRequest _request = null!;
    private TimeProvider _time = null!;
    private ClientWait _wait;
    private bool _isRead;
    private volatile bool _isOver;

    /// <summary>What is read is the client's body itself.</summary>
    public Stream Inner { get; private set; } = Null;

    /// <summary>Waits for pieces of the body.</summary>
    public ref readonly ClientWait Wait => ref _wait;

    public override bool CanRead => true;

    public override bool CanSeek => Inner.CanSeek;

    public override long Length => Inner.Length;

    public override long Position
    {
        get => Inner.Position;
        set => Inner.Position = value;
    }

    /// <summary>An attempt begins.</summary>
    public void Begin(Stream body, GatewayRequest request, TimeProvider time)
    {
        (Inner, _request, _time) = (body, request, time);
        (_wait, _isRead, _isOver) = (default, false, false);
    }

    /// <summary>The attempt is over: nothing more is read for it. Whether another may use this: not while a reader may
    /// come back.</summary>
    public bool End()
    {
        _isOver = true;
        return _isRead;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var reading = Inner.ReadAsync(buffer, cancellationToken);
        if (!reading.IsCompleted)
        {
            _wait.Begin(_time);
        }

        var count = await reading;
        _wait.End(_time);
        if (_isOver)
        {
            throw new OperationCanceledException("The attempt is over.");
        }

        _request.ThrowUnlessMayGo();
        _isRead = count == 0 && buffer.Length > 0;
        return count;
    }

    public override long Seek(long offset, SeekOrigin origin) => Inner.Seek(offset, origin);
}
