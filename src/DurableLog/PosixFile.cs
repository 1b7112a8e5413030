using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FenceGateway.DurableLog;

/// <summary>What .NET does not offer: flushing a folder, and opening a file past an advisory lock.</summary>
internal static partial class PosixFile
{
    private const int ReadOnlyCloseOnExec = 0x80000;
    private const int FileSizeExceeded = 25;

    /// <summary>
    /// Makes names in the folder durable: a created or renamed file survives a power cut only after this.
    /// </summary>
    /// <exception cref="IOException">The folder cannot be opened or flushed.</exception>
    public static void FlushFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            // NTFS keeps names in its own journal and has no flush for a folder.
            return;
        }

        using var handle = OpenRead(path);
        if (FSync(handle) != 0)
        {
            throw new IOException($"fsync of {path} failed: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    /// <summary>
    /// A write beyond the limit of a file's size (<c>ulimit -f</c>) sends a signal whose default ends the process.
    /// Caught, the write fails with EFBIG like any other.
    /// </summary>
    public static IDisposable? CatchFileSizeSignal() => OperatingSystem.IsWindows()
        ? null
        : PosixSignalRegistration.Create((PosixSignal)FileSizeExceeded, context => context.Cancel = true);

    /// <summary>Opens for reading without taking the advisory lock that .NET takes.</summary>
    public static SafeFileHandle OpenRead(string path)
    {
        var handle = Open(path, OperatingSystem.IsLinux() ? ReadOnlyCloseOnExec : 0);
        return handle.IsInvalid
            ? throw new IOException($"{path} cannot be opened: {Marshal.GetLastPInvokeErrorMessage()}")
            : handle;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int FSync(SafeFileHandle handle);
}
