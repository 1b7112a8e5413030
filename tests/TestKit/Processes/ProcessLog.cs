using System.Collections.Concurrent;
using System.Globalization;
using Xunit;

namespace FenceGateway.TestKit;

/// <summary>
/// What a process says, line by line in a file, for whoever has to understand a failed test. It lies in
/// <c>artifacts/test-results/logs</c> as long as a test of the collection that started the process may still fail
/// (<see cref="KeepLogsOfFailuresAttribute"/>).
/// </summary>
internal sealed class ProcessLog : IDisposable
{
    private static readonly ConcurrentDictionary<ProcessLog, byte> Kept = new();
    private readonly Lock _lock = new();
    private readonly string? _collection = TestContext.Current.TestCollection?.UniqueID;
    private readonly string _file;
    private StreamWriter? _writer;
    private bool _ended;

    static ProcessLog() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Remove(Kept.Keys);

    private ProcessLog(string file) => _file = file;

    /// <summary>Where logs lie: below the solution, or beside the tests where there is none.</summary>
    public static string Folder { get; } = Path.Combine(
        SolutionFolder(new DirectoryInfo(AppContext.BaseDirectory)) ?? AppContext.BaseDirectory, "artifacts",
        "test-results", "logs");

    /// <param name="program">What runs.</param>
    /// <param name="processId">Its process id.</param>
    public static ProcessLog Of(string program, int processId)
    {
        var name = string.Create(
            CultureInfo.InvariantCulture, $"{Path.GetFileNameWithoutExtension(program)}-{processId}.log");
        var log = new ProcessLog(Path.Combine(Folder, name));
        _ = Kept.TryAdd(log, 0);
        return log;
    }

    public override string ToString() => _file;

    /// <summary>Makes the file, at the first line.</summary>
    public void Add(string line)
    {
        lock (_lock)
        {
            if (_writer is null && !_ended)
            {
                _ = Directory.CreateDirectory(Folder);
                _writer = new StreamWriter(_file, append: true) { AutoFlush = true };
            }

            _writer?.WriteLine(line);
        }
    }

    /// <summary>The process has ended; its file stays.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _ended = true;
            _writer?.Dispose();
            _writer = null;
        }
    }

    /// <summary>
    /// A test has failed: what its processes said, and those of tests before it that still run, stays for good.
    /// </summary>
    public static IReadOnlyList<string> Keep(string? collection)
    {
        var logs = Of(collection).ToList();
        logs.ForEach(log => Kept.TryRemove(log, out _));
        return [.. logs.Where(log => File.Exists(log._file)).Select(log => log._file)];
    }

    /// <summary>A test has passed: nobody needs what is over.</summary>
    public static void RemoveEnded(string? collection) => Remove(Of(collection).Where(log => log._ended));

    private static IEnumerable<ProcessLog> Of(string? collection) =>
        Kept.Keys.Where(log => log._collection == collection);

    private static void Remove(IEnumerable<ProcessLog> logs)
    {
        foreach (var log in logs)
        {
            log.Dispose();
            File.Delete(log._file);
            _ = Kept.TryRemove(log, out _);
        }
    }

    private static string? SolutionFolder(DirectoryInfo? folder) =>
        folder is null ? null
        : File.Exists(Path.Combine(folder.FullName, "FenceGateway.sln")) ? folder.FullName
        : SolutionFolder(folder.Parent);
}
