using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>The body of the answer during one attempt: knows how long the client let the gateway
/// wait with it.</summary>
internal sealed class ClientAnswer : AsyncStream, IHttpResponseBodyFeature
{
    private TimeProvider _time = null!;
    private ClientWait _wait;

    /// <summary>Where the body goes.</summary>
    public IHttpResponseBodyFeature Inner { get; private set; } = null!;

    /// <summary>Waits for the client to take what was written.</summary>
    public ref readonly ClientWait Wait => ref _wait;

    Stream IHttpResponseBodyFeature.Stream => this;

    PipeWriter IHttpResponseBodyFeature.Writer => Inner.Writer;

    public override bool CanWrite => true;

    public void Begin(IHttpResponseBodyFeature body, TimeProvider time) =>
        (Inner, _time, _wait) = (body, time, default);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var writing = Inner.Stream.WriteAsync(buffer, cancellationToken);
        return writing.IsCompleted ? writing : WaitAsync(writing);
    }

    public override Task FlushAsync(CancellationToken cancellationToken)
    {
        var flushing = Inner.Stream.FlushAsync(cancellationToken);
        return flushing.IsCompleted ? flushing : WaitAsync(new ValueTask(flushing)).AsTask();
    }

    public void DisableBuffering() => Inner.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken = default) => Inner.StartAsync(cancellationToken);

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        Inner.SendFileAsync(path, offset, count, cancellationToken);

    public Task CompleteAsync() => Inner.CompleteAsync();

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WaitAsync(ValueTask writing)
    {
        _wait.Begin(_time);
        await writing;
        _wait.End(_time);
    }
}
