namespace FenceGateway.TestKit;

/// <summary>
/// Notices when the machine stands still: a thread that has nothing to do but wake up every few milliseconds. When it wakes late, so do
/// the threads of every gateway and server beside it, which share its scheduler: what they missed in that time says nothing of them.
/// </summary>
public static class Canary
{
    private const int MostRounds = 5;
    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(5);
    internal static readonly Standstills Seen = new(TimeProvider.System, Beat);

    static Canary() => new Thread(Live) { IsBackground = true, Name = nameof(Canary) }.Start();

    /// <summary>The moment, for <see cref="LongestSince"/>.</summary>
    public static long Now => TimeProvider.System.GetTimestamp();

    /// <summary>The longest time that the machine stood still since then, the one that lasts included; zero when it never did.</summary>
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
        var said = $"VOID ROUND: the machine stood still for {stood.TotalMilliseconds:0} ms, more than {margin.TotalMilliseconds:0} ms: {name}";
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
}
