namespace FenceGateway.DurableLog;

/// <summary>A file that frames are appended to. Used by one thread at a time.</summary>
/// <param name="file">The file; disposed of with this.</param>
/// <param name="name">Its name, for people.</param>
/// <param name="length">What is in it, durably.</param>
internal sealed class LogTail(ISegmentFile file, string name, long length) : IDisposable
{
    private bool _isTorn;

    /// <summary>Its durable bytes.</summary>
    public long Length { get; private set; } = length;

    /// <summary>Appends a frame and makes it durable.</summary>
    /// <exception cref="FlushFailedException">Nothing may be written any more.</exception>
    /// <exception cref="IOException">It was not written; may be tried again.</exception>
    public void Append(ReadOnlySpan<byte> frame)
    {
        CutOff();
        try
        {
            file.Write(Length, frame);
        }
        catch
        {
            _isTorn = true;
            TryCutOff();
            throw;
        }

        LogFolder.Flush(file, name);
        Length += frame.Length;
    }

    /// <summary>
    /// Takes away what a failed write has left: nothing may stand behind it, in this file or in the next.
    /// </summary>
    public void CutOff()
    {
        if (_isTorn)
        {
            file.Truncate(Length);
            _isTorn = false;
        }
    }

    public void Dispose() => file.Dispose();

    private void TryCutOff()
    {
        try
        {
            CutOff();
        }
        catch (Exception e) when (LogFolder.IsIo(e))
        {
            // Tried again before the next write.
        }
    }
}
