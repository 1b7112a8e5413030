namespace FenceGateway.TestKit.Tests.Time;

public sealed class CanaryTests
{
    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Margin = TimeSpan.FromMilliseconds(100);

    private readonly ManualTimeProvider _time = new();
    private readonly List<string> _said = [];

    [Fact]
    public void LongestSince_BeatsInTime_Zero()
    {
        var seen = new Standstills(_time, Beat);
        var began = _time.GetTimestamp();
        for (var i = 0; i < 10; i++)
        {
            _time.Advance(Beat + TimeSpan.FromMilliseconds(1));
            seen.Beat();
        }

        seen.LongestSince(began).ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public void LongestSince_LateBeats_TheLongestOfThoseThatEndedSince()
    {
        var seen = new Standstills(_time, Beat);
        BeatAfter(seen, 905);
        var began = _time.GetTimestamp();
        BeatAfter(seen, 205);
        BeatAfter(seen, 305);
        BeatAfter(seen, 5);

        seen.LongestSince(began + 1).ShouldBe(TimeSpan.FromMilliseconds(300));
        seen.LongestSince(began - 1).ShouldBe(TimeSpan.FromMilliseconds(900));
    }

    [Fact]
    public void LongestSince_NoBeatForLong_CountsWhatLasts()
    {
        var seen = new Standstills(_time, Beat);
        var began = _time.GetTimestamp();
        _time.Advance(TimeSpan.FromMilliseconds(405));

        seen.LongestSince(began).ShouldBe(TimeSpan.FromMilliseconds(400));
    }

    [Fact]
    public async Task LongestSince_OfTheProcessItself_ItsThreadBeats()
    {
        var began = Canary.Now;
        await Eventually.IsSoAsync(() => Canary.LongestSince(Canary.Now) == TimeSpan.Zero, "a beat");

        Canary.LongestSince(began).ShouldBeLessThan(TimeProvider.System.GetElapsedTime(began) + Standstills.Usual);
    }

    [Fact]
    public async Task RunAsync_FailsWhileTheMachineStoodStill_IsRunAgainAndSaysWhy()
    {
        var rounds = 0;
        await RunAsync(
            () => ++rounds < 3 ? throw new InvalidOperationException("too late") : Task.CompletedTask, stood: 101);

        rounds.ShouldBe(3);
        _said.ShouldBe(["0.101: too late", "0.101: too late"]);
    }

    [Fact]
    public async Task RunAsync_FailsOnAMachineThatWentOn_Fails()
    {
        var rounds = 0;
        await Should.ThrowAsync<InvalidOperationException>(
            () => RunAsync(
                () => ++rounds < 3 ? throw new InvalidOperationException("wrong") : Task.CompletedTask, stood: 100));

        rounds.ShouldBe(1);
    }

    [Fact]
    public async Task RunAsync_FailsAgainAndAgain_FailsInTheEnd()
    {
        var rounds = 0;
        await Should.ThrowAsync<InvalidOperationException>(() => RunAsync(
            () =>
            {
                rounds++;
                throw new InvalidOperationException("wrong");
            },
            stood: 1000));

        rounds.ShouldBe(5);
    }

    private Task RunAsync(Func<Task> round, int stood) =>
        Canary.RunAsync(
            Margin, round, (late, why) => _said.Add($"{late.TotalSeconds}: {why}"),
            _ => TimeSpan.FromMilliseconds(stood));

    private void BeatAfter(Standstills seen, int milliseconds)
    {
        _time.Advance(TimeSpan.FromMilliseconds(milliseconds));
        seen.Beat();
    }
}
