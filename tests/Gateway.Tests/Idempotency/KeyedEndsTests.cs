using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Idempotency;
using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Tests.Idempotency;

public sealed class KeyedEndsTests
{
    [Theory]
    [InlineData(200)]
    [InlineData(201)]
    [InlineData(302)]
    [InlineData(400)]
    [InlineData(403)]
    [InlineData(409)]
    [InlineData(500)]
    public void Of_ServiceAnswered_IsTheAnswer(int status)
    {
        End(Answered(status), status).ShouldBe(KeyedEnd.Answered);
        End(Answered(status), status, leftInDoubt: true).ShouldBe(KeyedEnd.Answered);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(408)]
    [InlineData(425)]
    [InlineData(429)]
    [InlineData(503)]
    public void Of_ServiceSaysAgain_IsReleasedUnlessAnEarlierAttemptIsInDoubt(int status)
    {
        End(Answered(status), status).ShouldBe(KeyedEnd.Released);
        End(Answered(status), status, leftInDoubt: true).ShouldBe(KeyedEnd.Unknown);
    }

    [Theory]
    [InlineData(101)]
    [InlineData(502)]
    [InlineData(504)]
    public void Of_AnswerThatDoesNotTell_IsUnknown(int status) =>
        End(Answered(status), status).ShouldBe(KeyedEnd.Unknown);

    [Fact]
    public void Of_AnswerThatThePolicySaysDoesNotTell_IsUnknown() =>
        End(AttemptResult.OfAnswer(503, new StatusSet([503]), default), 503).ShouldBe(KeyedEnd.Unknown);

    [Fact]
    public void Of_AnswerDroppedForAnAttemptThatWasNotMade_IsUnknown()
    {
        End(Answered(500), answered: 504).ShouldBe(KeyedEnd.Unknown);
        End(last: null, answered: 503, status: 500).ShouldBe(KeyedEnd.Unknown);
        End(last: null, answered: 503, status: 429).ShouldBe(KeyedEnd.Released);
    }

    [Fact]
    public void Of_NothingSent_IsReleasedUnlessAnEarlierAttemptIsInDoubt()
    {
        var notSent = new AttemptResult(ForwardEnd.NotSent, AttemptFault.Unreachable, 0, default);
        End(notSent, 502).ShouldBe(KeyedEnd.Released);
        End(notSent, 502, leftInDoubt: true).ShouldBe(KeyedEnd.Unknown);
        End(last: null, answered: 503).ShouldBe(KeyedEnd.Released);
    }

    [Fact]
    public void Of_InDoubt_IsUnknown()
    {
        foreach (var fault in new[] { AttemptFault.TimedOut, AttemptFault.Broken, AttemptFault.Client, AttemptFault.Gateway })
        {
            End(new AttemptResult(ForwardEnd.InDoubt, fault, 0, default), 502).ShouldBe(KeyedEnd.Unknown);
        }
    }

    private static AttemptResult Answered(int status) =>
        AttemptResult.OfAnswer(status, FencingPolicy.UsualInDoubtStatuses, default);

    private static KeyedEnd End(AttemptResult? last, int answered, bool leftInDoubt = false, int status = 0) =>
        KeyedEnds.Of(
            new AttemptState
            { Last = last, LeftInDoubt = leftInDoubt, MayBeApplied = leftInDoubt, Status = last?.Status ?? status }, answered);
}
