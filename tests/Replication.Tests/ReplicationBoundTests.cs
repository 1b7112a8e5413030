using FenceGateway.TestKit;

namespace FenceGateway.Replication.Tests;

public sealed class ReplicationBoundTests
{
    private static readonly TimeSpan Overlap = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void Value_FirstRounds_ReadBackToTheBegin()
    {
        var time = new ManualTimeProvider();
        var bound = new ReplicationBound(time, Overlap);
        for (var i = 1; i <= 10; i++)
        {
            bound.Completed(time.GetTimestamp(), 100 * i);
            bound.Value.ShouldBe(0);
            time.Advance(Second);
        }

        bound.Completed(time.GetTimestamp(), 5_000);
        bound.Value.ShouldBe(100);
        bound.Highest.ShouldBe(5_000);
    }

    [Fact]
    public void Value_RegionWasAway_DoesNotMoveWithTheTimeThatNobodyRead()
    {
        var time = new ManualTimeProvider();
        var bound = new ReplicationBound(time, Overlap);
        bound.Completed(time.GetTimestamp(), 100);
        time.Advance(Second);
        bound.Completed(time.GetTimestamp(), 200);

        // What was numbered 150 and not committed then must be read by the next round, however late that is.
        time.Advance(TimeSpan.FromHours(1));
        bound.Value.ShouldBe(0);
        bound.Completed(time.GetTimestamp(), 300);
        bound.Value.ShouldBe(200);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Value_RandomRoundsAndCommits_NothingCommittedWithinTheOverlapIsMissed(int seed)
    {
        var random = new Random(seed);
        var time = new ManualTimeProvider();
        var bound = new ReplicationBound(time, Overlap);
        var open = new List<(long Number, long CommitAt)>();
        var (committed, read, number, clock) = (new HashSet<long>(), new HashSet<long>(), 0L, 0L);
        for (var step = 0; step < 1_000; step++)
        {
            var pause = random.Next(20) == 0 ? random.Next(60_000) : random.Next(1_500);
            time.Advance(TimeSpan.FromMilliseconds(pause));
            clock += pause;
            for (var i = random.Next(5); i > 0; i--)
            {
                open.Add((++number, clock + random.Next((int)Overlap.TotalMilliseconds)));
            }

            foreach (var done in open.Where(c => c.CommitAt <= clock).ToList())
            {
                committed.Add(done.Number);
                open.Remove(done);
            }

            if (random.Next(3) != 0)
            {
                var begun = time.GetTimestamp();
                var visible = committed.Where(n => n > bound.Value).ToList();
                read.UnionWith(visible);
                bound.Completed(begun, committed.Count == 0 ? 0 : committed.Max());
                read.IsSupersetOf(committed).ShouldBeTrue($"step {step}: {string.Join(',', committed.Except(read))}");
            }
        }
    }
}
