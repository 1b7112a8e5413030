using System.Runtime.InteropServices;

namespace FenceGateway.TestKit;

/// <summary>
/// Notices when the machine stands still: a thread that has nothing to do but wake up every few milliseconds, and one
/// that works for a few milliseconds now and then. When the first one wakes late, or the second one waits for a
/// processor in the middle of its work, so do the threads of every gateway and server beside them, which share their
/// scheduler: what they missed in that time says nothing of them.
/// </summary>
public static partial class Canary
{
    private const int ThreadCpuTime = 3;
    private const int MostRounds = 5;
    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(5);

    /// <summary>What a call of a store takes of a processor in a gateway that is not warm yet, more or less.</summary>
    private static readonly TimeSpan Work = TimeSpan.FromMilliseconds(8);
    private static readonly TimeSpan BetweenWork = TimeSpan.FromMilliseconds(200);
    internal static readonly Standstills Seen = new(TimeProvider.System, Beat);

    static Canary()
    {
        foreach (var life in (ThreadStart[])[Live, Labour])
        {
            new Thread(life) { IsBackground = true, Name = nameof(Canary) }.Start();
        }
    }

    /// <summary>The moment, for <see cref="LongestSince"/>.</summary>
    public static long Now => TimeProvider.System.GetTimestamp();

    /// <summary>
    /// The longest time that the machine stood still since then, the one that lasts included; zero when it never did.
    /// </summary>
    public static TimeSpan LongestSince(long moment) => Seen.LongestSince(moment);

    /// <summary>
    /// Runs a round that needs a machine that goes on. When it fails and the machine stood still for longer than
    /// <paramref name="margin"/>, the round is void and run again, a few times; any other failure stands.
    /// </summary>
    /// <param name="margin">How long the machine may stand still without an effect on the round.</param>
    /// <param name="round">The round, which starts from nothing.</param>
    /// <param name="name">What is said to be void.</param>
    public static Task RunAsync(TimeSpan margin, Func<Task> round, string name) =>
        RunAsync(margin, round, (stood, why) => Say(stood, margin, $"{name}: {why}"), LongestSince);

    /// <summary>Says on the console, where test.sh finds and counts it, that a round is void.</summary>
    /// <returns>What was said.</returns>
    public static string Say(TimeSpan stood, TimeSpan margin, string name)
    {
        var said =
            $"VOID ROUND: the machine stood still for {stood.TotalMilliseconds:0} ms, more than "
                + $"{margin.TotalMilliseconds:0} ms: {name}";
        Console.WriteLine(said);
        return said;
    }

    internal static async Task RunAsync(
        TimeSpan margin, Func<Task> round, Action<TimeSpan, string> say, Func<long, TimeSpan> longestSince)
    {
        for (var i = 1; ; i++)
        {
            var began = Now;
            try
            {
                await round();
                return;
            }
            catch (Exception e) when (i < MostRounds && longestSince(began) is var stood && stood > margin)
            {
                say(stood, e.Message.Split('\n')[0]);
            }
        }
    }

    private static void Live()
    {
        using var never = new ManualResetEvent(false);
        while (true)
        {
            _ = never.WaitOne(Beat);
            Seen.Beat();
        }
    }

    private static void Labour()
    {
        using var never = new ManualResetEvent(false);
        while (true)
        {
            _ = never.WaitOne(BetweenWork);
            var (began, worked, until) = (Now, TimeSpan.Zero, ProcessorTime() + Work);
            while (worked < until)
            {
                worked = ProcessorTime();
            }

            if (TimeProvider.System.GetElapsedTime(began) - (worked - until + Work) is var waited
                && waited > Standstills.Usual)
            {
                Seen.Add(waited);
            }
        }
    }

    /// <summary>Of this thread.</summary>
    private static TimeSpan ProcessorTime() => ReadClock(ThreadCpuTime, out var time) == 0
        ? TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromMicroseconds(time.Nanoseconds / 1000.0)
        : throw new InvalidOperationException($"No processor time of a thread: error {Marshal.GetLastPInvokeError()}.");

    [LibraryImport("libc", EntryPoint = "clock_gettime", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int ReadClock(int clock, out ClockTime time);

    private readonly record struct ClockTime(long Seconds, long Nanoseconds);
}
