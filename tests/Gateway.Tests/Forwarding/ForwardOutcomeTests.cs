using FenceGateway.Gateway.Forwarding;
using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Tests.Forwarding;

public sealed class ForwardOutcomeTests
{
    /// <summary>Only these are known to be harmless: whatever else YARP reports, now or later, is in doubt.</summary>
    [Fact]
    public void Classify_EveryError_IsInDoubtUnlessNothingWasSentOrAllWasAnswered()
    {
        foreach (var error in Enum.GetValues<ForwarderError>())
        {
            var end = error switch
            {
                ForwarderError.None => ForwardEnd.Answered,
                ForwarderError.NoAvailableDestinations or ForwarderError.RequestCreation => ForwardEnd.NotSent,
                _ => ForwardEnd.InDoubt,
            };
            ForwardOutcome.Classify(error, exception: null, deadlineExpired: false).End.ShouldBe(end, error.ToString());
            ForwardOutcome.Classify(error, new IOException("reset"), deadlineExpired: true).End.ShouldBe(end, error.ToString());
        }

        ForwardOutcome.Classify((ForwarderError)12345, null, false).End.ShouldBe(ForwardEnd.InDoubt);
    }

    [Theory]
    [InlineData(HttpRequestError.NameResolutionError, nameof(ForwardEnd.NotSent))]
    [InlineData(HttpRequestError.ConnectionError, nameof(ForwardEnd.NotSent))]
    [InlineData(HttpRequestError.SecureConnectionError, nameof(ForwardEnd.NotSent))]
    [InlineData(HttpRequestError.Unknown, nameof(ForwardEnd.InDoubt))]
    [InlineData(HttpRequestError.HttpProtocolError, nameof(ForwardEnd.InDoubt))]
    [InlineData(HttpRequestError.ResponseEnded, nameof(ForwardEnd.InDoubt))]
    [InlineData(HttpRequestError.InvalidResponse, nameof(ForwardEnd.InDoubt))]
    public void Classify_RequestFailure_IsHarmlessOnlyWithoutAConnection(HttpRequestError error, string end)
    {
        var exception = new HttpRequestException(error, "failed");
        ForwardOutcome.Classify(ForwarderError.Request, exception, false).ShouldBe(new(Enum.Parse<ForwardEnd>(end), TimedOut: false));
        ForwardOutcome.Classify(ForwarderError.ResponseBodyDestination, exception, false).End.ShouldBe(ForwardEnd.InDoubt);
        ForwardOutcome.Classify(ForwarderError.RequestBodyDestination, exception, false).End.ShouldBe(ForwardEnd.InDoubt);
    }

    [Fact]
    public void Classify_ConnectTimeout_IsNotSentAndTimedOut()
    {
        var exception = new TaskCanceledException("connect", new TimeoutException());
        ForwardOutcome.Classify(ForwarderError.Request, exception, false).ShouldBe(new(ForwardEnd.NotSent, TimedOut: true));
        ForwardOutcome.Classify(ForwarderError.RequestTimedOut, exception, false).ShouldBe(new(ForwardEnd.NotSent, TimedOut: true));
    }

    [Fact]
    public void Classify_Timeout_IsInDoubtAndTimedOut()
    {
        ForwardOutcome.Classify(ForwarderError.RequestTimedOut, new TaskCanceledException(), false)
            .ShouldBe(new(ForwardEnd.InDoubt, TimedOut: true));
        ForwardOutcome.Classify(ForwarderError.RequestCanceled, new TaskCanceledException(), deadlineExpired: true)
            .ShouldBe(new(ForwardEnd.InDoubt, TimedOut: true));
        ForwardOutcome.Classify(ForwarderError.RequestCanceled, new TaskCanceledException(), deadlineExpired: false)
            .ShouldBe(new(ForwardEnd.InDoubt, TimedOut: false));
    }
}
