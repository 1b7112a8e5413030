using System.Globalization;

namespace FenceGateway.TestKit;

/// <summary>
/// A process and its children: a server that is more than one process, to be stopped or killed as one.
/// </summary>
internal static class ProcessFamily
{
    /// <summary>
    /// SIGKILL for all of them, and waits until they are gone. Nobody in between can react to the end of another.
    /// </summary>
    public static async Task KillAsync(ChildProcess parent)
    {
        parent.Signal(UnixSignal.Stop);
        var children = Children(parent.Id);
        foreach (var child in children)
        {
            ChildProcess.Signal(child, UnixSignal.Kill);
        }

        await parent.DisposeAsync();
        using var end = new CancellationTokenSource(TimeLimit.Default);
        while (children.Exists(IsRunning))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, end.Token);
        }
    }

    /// <summary>Sends a signal to all of them; the parent first, so that it starts no more.</summary>
    public static void Signal(ChildProcess parent, UnixSignal signal)
    {
        parent.Signal(signal);
        Children(parent.Id).ForEach(child => ChildProcess.Signal(child, signal));
    }

    /// <summary>Whether none of a process's threads runs: stopped, or gone.</summary>
    public static bool IsStopped(int process)
    {
        try
        {
            return Directory.EnumerateDirectories($"/proc/{process}/task")
                .All(thread => Status($"{process}/task/{Path.GetFileName(thread)}") is not { State: not ('T' or 't' or 'Z' or 'X') });
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
    }

    private static List<int> Children(int parent) =>
    [
        .. Directory.EnumerateDirectories("/proc")
            .Select(
                folder => int.TryParse(
                    Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                    ? id
                    : 0)
            .Where(id => id > 0 && Status(id) is { } status && status.Parent == parent && status.State != 'Z'),
    ];

    private static bool IsRunning(int id) => Status(id) is { State: not 'Z' };

    private static (char State, int Parent)? Status(int id) => Status(id.ToString(CultureInfo.InvariantCulture));

    private static (char State, int Parent)? Status(string id)
    {
        try
        {
            // "pid (name) S ppid …"; the name may have blanks and parentheses.
            var text = File.ReadAllText($"/proc/{id}/stat");
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ', 3);
            return (fields[0][0], int.Parse(fields[1], CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
