namespace FenceGateway.DurableLog;

/// <summary>A file that a log writes. Tests put one in its place that fails, or forgets what was not flushed.</summary>
internal interface ISegmentFile : IDisposable
{
    /// <summary>Writes all of <paramref name="bytes"/>; not durable before <see cref="Flush"/>.</summary>
    void Write(long offset, ReadOnlySpan<byte> bytes);

    /// <summary>
    /// Makes everything written durable. After a failure nothing is known about it, not even after a second try.
    /// </summary>
    void Flush();

    /// <summary>Cuts the file off.</summary>
    void Truncate(long length);
}
