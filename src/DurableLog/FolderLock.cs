using Microsoft.Win32.SafeHandles;

namespace FenceGateway.DurableLog;

/// <summary>
/// Keeps a second process off the folder. The system drops it when the process ends, however that happens.
/// </summary>
internal sealed class FolderLock : IDisposable
{
    private const int MaxPidDigits = 20;
    private readonly SafeFileHandle _handle;

    private FolderLock(SafeFileHandle handle) => _handle = handle;

    /// <param name="folder">The folder.</param>
    /// <param name="store">What is in it, for people.</param>
    /// <param name="setting">The setting that names it.</param>
    /// <exception cref="FolderInUseException">Another process has it.</exception>
    public static FolderLock Take(string folder, string store, string setting)
    {
        var path = Path.Combine(folder, "lock");
        SafeFileHandle handle;
        try
        {
            handle = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new FolderInUseException(
                $"The {store} folder {folder} is in use by process {ReadPid(path)}: one process at a time. Stop that "
                + $"one, or give this one another folder ({setting}). ({e.Message})", e);
        }

        try
        {
            RandomAccess.SetLength(handle, 0);
            RandomAccess.Write(
                handle, Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture)), 0);
        }
        catch
        {
            handle.Dispose();
            throw;
        }

        return new FolderLock(handle);
    }

    public void Dispose() => _handle.Dispose();

    private static string ReadPid(string path)
    {
        try
        {
            using var handle = OperatingSystem.IsWindows()
                ? File.OpenHandle(path, share: FileShare.ReadWrite)
                : PosixFile.OpenRead(path);
            Span<byte> digits = stackalloc byte[MaxPidDigits];
            return long.TryParse(digits[..RandomAccess.Read(handle, digits, 0)], out var pid) ? $"{pid}" : "(unknown)";
        }
        catch (IOException)
        {
            return "(unknown)";
        }
    }
}
