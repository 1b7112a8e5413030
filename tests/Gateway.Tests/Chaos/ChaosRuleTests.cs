using FenceGateway.Gateway.Chaos;

namespace FenceGateway.Gateway.Tests.Chaos;

public sealed class ChaosRuleTests : IDisposable
{
    private const int Attempts = 10_000;

    private readonly ChaosContext _chaos = new();

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.01)]
    [InlineData(0.3)]
    [InlineData(1.0)]
    public async Task InjectAsync_Outcome_IsInjectedAtItsRate(double rate)
    {
        var rule = _chaos.Rule(new() { InjectionRate = rate, Outcome = 503 }, new Random(42).NextDouble);

        var injected = await CountAsync(rule, result => result == 503);

        // Five times the deviation of so many draws.
        var tolerance = 5 * Math.Sqrt(Attempts * rate * (1 - rate));
        ((double)injected).ShouldBeInRange((rate * Attempts) - tolerance, (rate * Attempts) + tolerance);
    }

    [Fact]
    public async Task InjectAsync_FaultAndOutcome_AreDrawnEachForItself()
    {
        var options = new ChaosRuleOptions { InjectionRate = 0.5, Fault = ChaosFault.Reset, Outcome = 503 };

        var faults = await CountAsync(_chaos.Rule(options, new Random(42).NextDouble), result => result is null);
        var answers = await CountAsync(_chaos.Rule(options, new Random(42).NextDouble), result => result == 503);

        ((double)faults).ShouldBe(Attempts * 0.5, 250);
        ((double)answers).ShouldBe(Attempts * 0.25, 250);
    }

    [Fact]
    public async Task InjectAsync_Latency_WaitsByTheGivenTime()
    {
        var rule = _chaos.Rule(new() { InjectionRate = 1, Latency = TimeSpan.FromSeconds(3) });

        var injecting = rule.InjectAsync(ChaosContext.Request()).AsTask();
        await _chaos.Time.WaitForTimerAsync(TimeSpan.FromSeconds(3));
        _chaos.Time.Advance(TimeSpan.FromSeconds(2.9));
        injecting.IsCompleted.ShouldBeFalse();
        _chaos.Time.Advance(TimeSpan.FromSeconds(0.1));

        (await injecting).Result.ShouldBe(ChaosRule.Forward);
    }

    [Fact]
    public async Task InjectAsync_LatencyCutShort_IsACancellation()
    {
        var rule = _chaos.Rule(new() { InjectionRate = 1, Latency = TimeSpan.FromSeconds(3) });
        var context = ChaosContext.Request();
        using var attempt = new CancellationTokenSource();
        context.RequestAborted = attempt.Token;

        var injecting = rule.InjectAsync(context).AsTask();
        await attempt.CancelAsync();

        (await injecting).Exception.ShouldBeAssignableTo<OperationCanceledException>();
    }

    [Theory]
    [InlineData(null, null, true)]
    [InlineData("X-Chaos", null, false)]
    [InlineData("X-Chaos", "x-chaos", true)]
    [InlineData("X-Chaos", "X-Other", false)]
    public void AppliesTo_Header_OnlyRequestsThatCarryIt(string? wanted, string? sent, bool applies)
    {
        var rule = _chaos.Rule(new() { InjectionRate = 1, Outcome = 503, Header = wanted });
        var request = ChaosContext.Request().Request;
        if (sent is not null)
        {
            request.Headers[sent] = "";
        }

        rule.AppliesTo(request).ShouldBe(applies);
    }

    public void Dispose() => _chaos.Dispose();

    /// <param name="rule">The rule.</param>
    /// <param name="condition">On what came out; null is a fault.</param>
    private static async Task<int> CountAsync(ChaosRule rule, Func<int?, bool> condition)
    {
        var (count, context) = (0, ChaosContext.Request());
        for (var i = 0; i < Attempts; i++)
        {
            var injected = await rule.InjectAsync(context);
            count += condition(injected.Exception is null ? injected.Result : null) ? 1 : 0;
        }

        return count;
    }
}
