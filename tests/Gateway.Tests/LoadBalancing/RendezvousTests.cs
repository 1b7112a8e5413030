using FenceGateway.Gateway.LoadBalancing;
using FenceGateway.TestKit;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Tests.LoadBalancing;

public sealed class RendezvousTests
{
    private const int Keys = 20_000;

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(10)]
    [InlineData(50)]
    public void Pick_ManyKeys_SpreadEvenly(int count)
    {
        var destinations = Destinations(count);
        var expected = (double)Keys / count;

        var chiSquare = AllPicks(destinations).Values
            .CountBy(picked => picked)
            .Sum(share => Math.Pow(share.Value - expected, 2) / expected);

        // Of a uniform choice it is around count - 1 with a deviation of sqrt(2 (count - 1)); five of them is out of
        // chance's reach.
        chiSquare.ShouldBeLessThan(count - 1 + (5 * Math.Sqrt(2 * (count - 1))));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(20)]
    public void Pick_OneDestinationRemoved_OnlyItsKeysMove(int count)
    {
        var destinations = Destinations(count);
        var before = AllPicks(destinations);
        var removed = destinations[count / 2].DestinationId;

        var after = AllPicks([.. destinations.Where(d => d.DestinationId != removed)]);

        var moved = before.Keys.Where(key => before[key] != after[key]).ToArray();
        moved.ShouldAllBe(key => before[key] == removed);
        moved.Length.ShouldBe(before.Values.Count(picked => picked == removed));
        after.Values.ShouldNotContain(removed);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(20)]
    public void Pick_OneDestinationAdded_OnlyItsShareMovesAndOnlyToIt(int count)
    {
        var before = AllPicks(Destinations(count));

        var after = AllPicks(Destinations(count + 1));

        var moved = before.Keys.Where(key => before[key] != after[key]).ToArray();
        moved.ShouldAllBe(key => after[key] == $"d{count}");
        var expected = (double)Keys / (count + 1);
        ((double)moved.Length).ShouldBeInRange(
            expected - (5 * Math.Sqrt(expected)), expected + (5 * Math.Sqrt(expected)));
    }

    [Fact]
    public void Pick_OtherOrderOfDestinations_IsTheSame()
    {
        var destinations = Destinations(7);

        AllPicks([.. destinations.Reverse()]).ShouldBe(AllPicks(destinations));
    }

    /// <summary>Written down once: another process, another machine and the next version must agree with it.</summary>
    [Theory]
    [InlineData("orders/1", "d1")]
    [InlineData("orders/2", "d2")]
    [InlineData("orders/42", "d0")]
    [InlineData("kunden/Müller-Lüdenscheidt/aufträge/7", "d0")]
    [InlineData("/a/path/that/is/longer/than/any/of/the/others/so/that/every/branch/of/the/hash/is/taken/"
        + "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789", "d2")]
    [InlineData("", "d4")]
    public void Pick_InAnyProcess_IsTheSame(string key, string expected) =>
        Rendezvous.Pick(Rendezvous.Hash(key), Destinations(5)).DestinationId.ShouldBe(expected);

    [Fact]
    public void Hash_Empty_IsThePublishedVectorOfXxh3() => Rendezvous.Hash("").ShouldBe(0x2D06800538D394C2UL);

    [Fact]
    public void Pick_HotKey_NoDestinationGetsMoreThanItsBound()
    {
        var destinations = Destinations(5);
        var hot = Rendezvous.Hash("orders/1");

        for (var sum = 1; sum <= 1000; sum++)
        {
            var picked = Rendezvous.Pick(hot, destinations);
            picked.ConcurrentRequestCount++;
            picked.ConcurrentRequestCount.ShouldBeLessThanOrEqualTo(Bound(sum, destinations.Length));
        }

        destinations.Count(d => d.ConcurrentRequestCount > 0).ShouldBe(4);
    }

    [Fact]
    public void Pick_RequestsOfManyKeysComeAndGo_TheBoundHoldsAndFewKeysMove() => new RandomSeed().Run(random =>
    {
        var destinations = Destinations(4);
        var free = Destinations(4);
        var inProgress = new Queue<DestinationState>();
        var moved = 0;
        for (var i = 0; i < Keys; i++)
        {
            var key = Rendezvous.Hash($"orders/{random.Next()}");
            var picked = Rendezvous.Pick(key, destinations);
            moved += picked.DestinationId == Rendezvous.Pick(key, free).DestinationId ? 0 : 1;
            picked.ConcurrentRequestCount++;
            inProgress.Enqueue(picked);
            picked.ConcurrentRequestCount.ShouldBeLessThanOrEqualTo(Bound(inProgress.Count, 4));
            if (inProgress.Count == 400)
            {
                inProgress.Dequeue().ConcurrentRequestCount--;
            }
        }

        ((double)moved / Keys).ShouldBeLessThan(0.02);
    });

    [Fact]
    public void Pick_QuietDestinations_AKeyStaysThoughOthersAreIdle()
    {
        var destinations = Destinations(3);
        var key = Rendezvous.Hash("orders/1");
        var home = Rendezvous.Pick(key, destinations);

        for (var i = 0; i < Rendezvous.FreeLoad; i++)
        {
            Rendezvous.Pick(key, destinations).DestinationId.ShouldBe(home.DestinationId);
            home.ConcurrentRequestCount++;
        }

        Rendezvous.Pick(key, destinations).DestinationId.ShouldNotBe(home.DestinationId);
    }

    [Fact]
    public void Pick_BusyDestination_ItsKeysGoWhereTheyWouldGoIfItWereGone()
    {
        var destinations = Destinations(5);
        var busy = destinations[2];
        busy.ConcurrentRequestCount = 1000;

        AllPicks(destinations).ShouldBe(AllPicks([.. destinations.Where(d => d != busy)]));
    }

    [Fact]
    public void Pick_Steady_AllocatesNothing()
    {
        var destinations = Destinations(10);
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var i = 0; i < 1000; i++)
        {
            _ = Rendezvous.Pick(Rendezvous.Hash("orders/1"), destinations);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    private static int Bound(int inProgress, int destinations) =>
        Math.Max(Rendezvous.FreeLoad, (int)Math.Ceiling(1.25 * inProgress / destinations));

    private static DestinationState[] Destinations(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new DestinationState($"d{i}"))];

    private static Dictionary<string, string> AllPicks(DestinationState[] destinations) => Enumerable.Range(0, Keys)
        .Select(i => $"orders/{i}")
        .ToDictionary(key => key, key => Rendezvous.Pick(Rendezvous.Hash(key), destinations).DestinationId);
}
