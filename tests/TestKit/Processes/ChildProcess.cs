using System.Diagnostics;
using System.Runtime.InteropServices;

namespace FenceGateway.TestKit;

/// <summary>The signals of Linux that tests send.</summary>
public enum UnixSignal
{
    Kill = 9,
    Terminate = 15,
    Continue = 18,
    Stop = 19,
}

/// <summary>
/// A process that a test owns: its output is kept, also in a file for the case that the test fails, and it is killed at
/// the end, by its process id.
/// </summary>
public sealed partial class ChildProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Lock _lock = new();
    private readonly List<string> _output = [];
    private readonly List<string> _errors = [];
    private readonly List<(Func<string, bool> Condition, TaskCompletionSource<string> Seen)> _waiters = [];

    private readonly ProcessLog _log;

    private ChildProcess(ProcessStartInfo start, string name)
    {
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, e) => Keep(_output, e.Data);
        _process.ErrorDataReceived += (_, e) => Keep(_errors, e.Data);
        _ = _process.Start();
        _log = ProcessLog.Of(name, _process.Id);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>The lines of standard output so far.</summary>
    public IReadOnlyList<string> Output => Snapshot(_output);

    /// <summary>The lines of standard error so far.</summary>
    public IReadOnlyList<string> Errors => Snapshot(_errors);

    /// <param name="file">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="environment">What is different in its environment.</param>
    /// <param name="workingDirectory">Where it starts; null for here.</param>
    /// <param name="name">What its log is called; null for the program's own name.</param>
    public static ChildProcess Start(
        string file,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? workingDirectory = null,
        string? name = null)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = workingDirectory ?? "",
        };
        foreach (var (variable, value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[variable] = value;
        }

        return new ChildProcess(start, name ?? file);
    }

    /// <summary>Runs a program to its end; what it printed.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public static async Task<string> RunAsync(string file, params IEnumerable<string> arguments)
    {
        await using var process = Start(file, arguments, workingDirectory: "/");
        var code = await process.WaitForExitAsync(TimeSpan.FromMinutes(1));
        return code == 0
            ? string.Join('\n', process.Output)
            : throw new InvalidOperationException($"{file} ended with {code}:\n{process.Tail()}");
    }

    /// <summary>Sends a signal; one that stops the process is waited for, thread by thread.</summary>
    public void Signal(UnixSignal signal)
    {
        // A child that has exited stays a zombie until it is waited for, so its id cannot belong to somebody else yet.
        if (!_process.HasExited && SendSignal(_process.Id, (int)signal) != 0)
        {
            throw new InvalidOperationException(
                $"kill({_process.Id}, {signal}) failed with error {Marshal.GetLastPInvokeError()}");
        }

        AwaitStop(_process.Id, signal);
    }

    /// <summary>Signals a child of a child; nothing happens when it is gone.</summary>
    internal static void Signal(int processId, UnixSignal signal)
    {
        _ = SendSignal(processId, (int)signal);
        AwaitStop(processId, signal);
    }

    /// <summary>
    /// When kill returns, threads on other processors still run for a moment, and can answer a request in it.
    /// </summary>
    private static void AwaitStop(int processId, UnixSignal signal)
    {
        if (signal == UnixSignal.Stop)
        {
            _ = SpinWait.SpinUntil(() => ProcessFamily.IsStopped(processId), TimeLimit.Default);
        }
    }

    /// <summary>
    /// Waits for the end, and for all of the output; the exit code is 128 + signal when a signal ended the process.
    /// </summary>
    public async Task<int> WaitForExitAsync(TimeSpan? limit = null)
    {
        await _process.WaitForExitAsync().WithinLimit(
            $"process {_process.StartInfo.FileName} to exit\n{Tail()}", limit);
        return _process.ExitCode;
    }

    /// <summary>The first line of either stream, past or future, that meets <paramref name="condition"/>.</summary>
    public Task<string> WaitForLineAsync(Func<string, bool> condition, TimeSpan? limit = null)
    {
        var seen = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            var line = _output.Concat(_errors).FirstOrDefault(condition);
            if (line is not null)
            {
                return Task.FromResult(line);
            }

            _waiters.Add((condition, seen));
        }

        return seen.Task.WithinLimit("a line of output", limit);
    }

    /// <summary>Waits until a server says that it serves.</summary>
    /// <exception cref="InvalidOperationException">It ended before.</exception>
    public async Task WaitUntilItSaysAsync(string text)
    {
        var ready = WaitForLineAsync(line => line.Contains(text, StringComparison.Ordinal));
        var ended = WaitForExitAsync();
        if (await Task.WhenAny(ready, ended) != ready)
        {
            throw new InvalidOperationException($"{_process.StartInfo.FileName} ended with {await ended}:\n{Tail()}");
        }

        _ = await ready;
    }

    /// <summary>The last lines of both streams, for a failure's message, and where all of them are.</summary>
    public string Tail() => string.Join('\n', [.. Output.TakeLast(10), .. Errors.TakeLast(10), $"LOG: {_log}"]);

    public async ValueTask DisposeAsync()
    {
        // A stopped process is killed all the same.
        Signal(UnixSignal.Kill);
        await _process.WaitForExitAsync();
        _process.Dispose();
        _log.Dispose();
    }

    private void Keep(List<string> lines, string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_lock)
        {
            lines.Add(line);
            _log.Add(line);
            _ = _waiters.RemoveAll(w => w.Condition(line) && w.Seen.TrySetResult(line));
        }
    }

    private List<string> Snapshot(List<string> lines)
    {
        lock (_lock)
        {
            return [.. lines];
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int pid, int signal);
}
