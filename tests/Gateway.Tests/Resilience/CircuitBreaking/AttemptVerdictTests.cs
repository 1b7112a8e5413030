using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Resilience.CircuitBreaking;

namespace FenceGateway.Gateway.Tests.Resilience.CircuitBreaking;

public sealed class AttemptVerdictTests
{
    [Theory]
    [InlineData(nameof(AttemptFault.None), 200, 0, nameof(AttemptVerdict.Succeeded))]
    [InlineData(nameof(AttemptFault.None), 404, 0, nameof(AttemptVerdict.Succeeded))]
    [InlineData(nameof(AttemptFault.None), 409, 0, nameof(AttemptVerdict.Succeeded))]
    [InlineData(nameof(AttemptFault.None), 500, 0, nameof(AttemptVerdict.Succeeded))]
    [InlineData(nameof(AttemptFault.None), 503, 0, nameof(AttemptVerdict.Failed))]
    [InlineData(nameof(AttemptFault.Unreachable), 0, 0, nameof(AttemptVerdict.Failed))]
    [InlineData(nameof(AttemptFault.TimedOut), 0, 0, nameof(AttemptVerdict.Failed))]
    [InlineData(nameof(AttemptFault.Broken), 200, 0, nameof(AttemptVerdict.Failed))]
    [InlineData(nameof(AttemptFault.Client), 0, 9, nameof(AttemptVerdict.Neutral))]
    [InlineData(nameof(AttemptFault.Client), 503, 9, nameof(AttemptVerdict.Neutral))]
    [InlineData(nameof(AttemptFault.Gateway), 503, 9, nameof(AttemptVerdict.Neutral))]
    [InlineData(nameof(AttemptFault.SlowClient), 0, 9, nameof(AttemptVerdict.Neutral))]
    [InlineData(nameof(AttemptFault.SlowClient), 200, 9, nameof(AttemptVerdict.Neutral))]
    [InlineData(nameof(AttemptFault.Shortage), 0, 9, nameof(AttemptVerdict.Neutral))]
    [InlineData(nameof(AttemptFault.SessionEnded), 0, 9, nameof(AttemptVerdict.Neutral))]
    [InlineData(nameof(AttemptFault.None), 200, 1, nameof(AttemptVerdict.Succeeded))]
    [InlineData(nameof(AttemptFault.None), 200, 2, nameof(AttemptVerdict.Slow))]
    [InlineData(nameof(AttemptFault.None), 503, 2, nameof(AttemptVerdict.Failed))]
    [InlineData(nameof(AttemptFault.None), 101, 3600, nameof(AttemptVerdict.Succeeded))]
    public void Judge_AnAttempt_BlamesTheDestinationForItsOwnFaultsOnly(
        string fault, int status, int seconds, string verdict) =>
        CircuitWorld.Policy(slow: TimeSpan.FromSeconds(1))
            .Judge(
                new AttemptResult(
                    ForwardEnd.Answered, Enum.Parse<AttemptFault>(fault), status, TimeSpan.FromSeconds(seconds)))
            .ShouldBe(Enum.Parse<AttemptVerdict>(verdict));

    [Fact]
    public void Judge_NoSlowCallThreshold_NoAnswerIsSlow() =>
        CircuitWorld.Policy().Judge(CircuitWorld.Status(200, TimeSpan.FromHours(1))).ShouldBe(AttemptVerdict.Succeeded);
}
