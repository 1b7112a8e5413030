using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.Matrix;

/// <summary>
/// Retries never send twice what may not be sent twice, and never raise the services' load above the budget.
/// </summary>
public sealed class RetryStormTests
{
    private const int Requests = 4000;

    [Fact]
    public async Task Retries_ThousandsOfRandomFaults_AreSafeAndWithinTheBudget()
    {
        await new RandomSeed().RunAsync(async random =>
        {
            await using var storm = await RetryStorm.StartAsync();
            var began = TimeProvider.System.GetTimestamp();

            await storm.RunAsync(random, Requests);

            var windows = 1 + (int)(TimeProvider.System.GetElapsedTime(began) / TimeSpan.FromSeconds(10));
            var sends = storm.CountSends();
            storm.Requests.Count.ShouldBe(Requests);
            storm.Requests.Where(r => !r.MayBeSentTwice && sends.GetValueOrDefault(r.Id) > 1)
                .Select(r => (r, sends[r.Id])).ShouldBeEmpty();
            sends.Values.Sum().ShouldBeLessThanOrEqualTo(
                (int)(Requests * (1 + RetryStorm.BudgetRatio)) + (3 * windows));
            sends.Values.Count(n => n > 1).ShouldBeGreaterThan(Requests / 50, "or nothing was tried again");
            Violations(storm).ShouldBeEmpty();
        });
    }

    /// <summary>
    /// Without those of I6 that a retry explains: I6 is about requests that must not be sent twice, checked above.
    /// </summary>
    private static IEnumerable<HistoryViolation> Violations(RetryStorm storm) =>
        HistoryChecker.Check(storm.Writes, storm.Answers).Where(v => v.Rule != "I6");
}
