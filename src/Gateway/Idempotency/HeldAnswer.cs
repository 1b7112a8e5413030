using System.IO.Pipelines;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.Idempotency;

/// <summary>
/// Holds an answer back until it is whole and stored, so that no client relies on one that a crash could take back. An
/// answer that is longer than what is stored flows on from the moment that this shows.
/// </summary>
/// <param name="inner">Where the answer goes in the end.</param>
/// <param name="limit">Bytes of a body that are held.</param>
internal sealed class HeldAnswer(IHttpResponseBodyFeature inner, int limit) : AsyncStream, IHttpResponseBodyFeature
{
    private readonly MemoryStream _held = new();
    private PipeWriter? _writer;

    /// <summary>Whether the answer was too long to be held.</summary>
    public bool HasPassed { get; private set; }

    /// <summary>What is held of the body.</summary>
    public ReadOnlyMemory<byte> Body => _held.GetBuffer().AsMemory(0, (int)_held.Length);

    public PipeWriter Writer => _writer ??= PipeWriter.Create(this, new StreamPipeWriterOptions(leaveOpen: true));

    /// <summary>So that whoever clears the response clears what is held as well.</summary>
    public override bool CanSeek => !HasPassed;

    public override bool CanWrite => true;

    public override long Length => _held.Length;

    public override long Position
    {
        get => _held.Position;
        set => throw new NotSupportedException();
    }

    Stream IHttpResponseBodyFeature.Stream => this;

    /// <summary>Sends on what is held, whether or not there is still somebody to read it.</summary>
    public async Task SendAsync()
    {
        if (!HasPassed && _held.Length > 0)
        {
            await inner.Stream.WriteAsync(Body, CancellationToken.None);
        }
    }

    public override async ValueTask WriteAsync(
        ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!HasPassed && _held.Length + buffer.Length <= limit)
        {
            _held.Write(buffer.Span);
            return;
        }

        if (!HasPassed)
        {
            HasPassed = true;
            await inner.Stream.WriteAsync(Body, cancellationToken);
            _held.SetLength(0);
            _held.Capacity = 0;
        }

        await inner.Stream.WriteAsync(buffer, cancellationToken);
    }

    public override Task FlushAsync(CancellationToken cancellationToken) =>
        HasPassed ? inner.Stream.FlushAsync(cancellationToken) : Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken = default) =>
        HasPassed ? inner.StartAsync(cancellationToken) : Task.CompletedTask;

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        SendFileFallback.SendFileAsync(this, path, offset, count, cancellationToken);

    public async Task CompleteAsync()
    {
        if (_writer is not null)
        {
            await _writer.FlushAsync();
        }

        if (HasPassed)
        {
            await inner.CompleteAsync();
        }
    }

    public void DisableBuffering() => inner.DisableBuffering();

    public override void SetLength(long value) => _held.SetLength(value);
}
