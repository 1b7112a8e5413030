using FenceGateway.Gateway.Resilience.Retries;
using FenceGateway.TestKit;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace FenceGateway.Gateway.Tests.Resilience.Retries;

public sealed class RetryBudgetTests
{
    [Fact]
    public void TryTake_AQuietRoute_HasItsReserve()
    {
        var budget = new RetryBudget(0.2, new ManualTimeProvider());
        budget.CountRequest();

        Enumerable.Range(0, RetryBudget.Reserve).ShouldAllBe(_ => budget.TryTake());
        budget.TryTake().ShouldBeFalse();
    }

    [Fact]
    public void TryTake_ABusyRoute_IsAShareOfItsRequests()
    {
        var budget = new RetryBudget(0.2, new ManualTimeProvider());
        for (var i = 0; i < 100; i++)
        {
            budget.CountRequest();
        }

        Enumerable.Range(0, 100).Count(_ => budget.TryTake()).ShouldBe(20);
    }

    [Fact]
    public void TryTake_TheWindowHasMovedOn_OldRetriesAndRequestsNoLongerCount()
    {
        var time = new ManualTimeProvider();
        var budget = new RetryBudget(0.5, time);
        for (var i = 0; i < 10; i++)
        {
            budget.CountRequest();
        }

        Enumerable.Range(0, 10).Count(_ => budget.TryTake()).ShouldBe(5);
        time.Advance(TimeSpan.FromSeconds(10));

        Enumerable.Range(0, 10).Count(_ => budget.TryTake()).ShouldBe(RetryBudget.Reserve);
    }

    /// <summary>
    /// Whatever comes when: in no ten seconds are there more retries than the share of the requests, or the reserve.
    /// </summary>
    [Property]
    public Property TryTake_RandomTraffic_StaysWithinTheShare()
    {
        var traffic = ArbMap.Default.ArbFor<(byte Gap, byte Requests, byte Retries)[]>();
        return Prop.ForAll(traffic, steps =>
        {
            var time = new ManualTimeProvider();
            var budget = new RetryBudget(0.2, time);
            var (requests, retries) = (new List<long>(), new List<long>());
            foreach (var (gap, count, wanted) in steps)
            {
                time.Advance(TimeSpan.FromMilliseconds(gap * 20));
                for (var i = 0; i < count; i++)
                {
                    budget.CountRequest();
                    requests.Add(time.GetTimestamp());
                }

                for (var i = 0; i < wanted && budget.TryTake(); i++)
                {
                    retries.Add(time.GetTimestamp());
                    var from = time.GetTimestamp() - TimeSpan.FromSeconds(9).Ticks;
                    var allowed = Math.Max(
                        RetryBudget.Reserve, requests.Count(at => at > from - TimeSpan.TicksPerSecond) * 0.2);
                    if (retries.Count(at => at >= from) > allowed)
                    {
                        return false;
                    }
                }
            }

            return true;
        });
    }
}
