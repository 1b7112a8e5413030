using Microsoft.Win32.SafeHandles;

namespace FenceGateway.DurableLog;

/// <summary>A file on the disk.</summary>
internal sealed class SegmentFile : ISegmentFile
{
    private readonly SafeFileHandle _handle;

    private SegmentFile(SafeFileHandle handle) => _handle = handle;

    /// <summary>Makes the file anew.</summary>
    public static ISegmentFile Create(string path) =>
        new SegmentFile(
            File.OpenHandle(path, FileMode.Create, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete));

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        try
        {
            RandomAccess.Write(_handle, bytes, offset);
        }
        catch (ArgumentOutOfRangeException e)
        {
            // This is how .NET reports EFBIG, a limit of the file system or of the process; it is a failed write like
            // any other.
            throw new IOException(
                $"the file may not grow beyond {offset} bytes: a limit of file sizes (ulimit -f) or of the file system "
                    + "is reached.", e);
        }
    }

    public void Flush() => RandomAccess.FlushToDisk(_handle);

    public void Truncate(long length) => RandomAccess.SetLength(_handle, length);

    public void Dispose() => _handle.Dispose();
}
