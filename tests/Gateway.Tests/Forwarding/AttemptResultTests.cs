using System.Net.Sockets;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Forwarding;
using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Tests.Forwarding;

public sealed class AttemptResultTests
{
    /// <summary>Only these are known to be harmless: whatever else YARP reports, now or later, is in doubt.</summary>
    [Fact]
    public void Classify_EveryError_IsInDoubtUnlessNothingWasSent()
    {
        foreach (var error in Enum.GetValues<ForwarderError>().Where(e => e != ForwarderError.None))
        {
            var end = error switch
            {
                ForwarderError.NoAvailableDestinations or ForwarderError.RequestCreation => ForwardEnd.NotSent,
                _ => ForwardEnd.InDoubt,
            };
            Classify(error).End.ShouldBe(end, error.ToString());
            Classify(error, new IOException("reset"), AttemptFault.TimedOut).End.ShouldBe(end, error.ToString());
        }

        Classify((ForwarderError)12345).End.ShouldBe(ForwardEnd.InDoubt);
    }

    [Fact]
    public void OfFailure_NothingHasLeft_NothingIsInDoubt()
    {
        foreach (var error in Enum.GetValues<ForwarderError>())
        {
            var result = AttemptResult.OfFailure(
                error, new IOException("reset"), AttemptFault.TimedOut, hasLeft: false, 0, TimeSpan.Zero);
            result.End.ShouldBe(ForwardEnd.NotSent, error.ToString());
        }
    }

    [Theory]
    [InlineData(200, nameof(ForwardEnd.Answered))]
    [InlineData(500, nameof(ForwardEnd.Answered))]
    [InlineData(503, nameof(ForwardEnd.Answered))]
    [InlineData(502, nameof(ForwardEnd.InDoubt))]
    [InlineData(504, nameof(ForwardEnd.InDoubt))]
    public void OfAnswer_AnIntermediarysWordThatItDoesNotKnow_IsInDoubt(int status, string end)
    {
        var result = AttemptResult.OfAnswer(status, FencingPolicy.UsualInDoubtStatuses, TimeSpan.Zero);
        (result.End.ToString(), result.Fault).ShouldBe((end, AttemptFault.None));
    }

    [Theory]
    [InlineData(HttpRequestError.NameResolutionError, nameof(ForwardEnd.NotSent), nameof(AttemptFault.Unreachable))]
    [InlineData(HttpRequestError.ConnectionError, nameof(ForwardEnd.NotSent), nameof(AttemptFault.Unreachable))]
    [InlineData(HttpRequestError.SecureConnectionError, nameof(ForwardEnd.NotSent), nameof(AttemptFault.Unreachable))]
    [InlineData(HttpRequestError.Unknown, nameof(ForwardEnd.InDoubt), nameof(AttemptFault.Broken))]
    [InlineData(HttpRequestError.HttpProtocolError, nameof(ForwardEnd.InDoubt), nameof(AttemptFault.Broken))]
    [InlineData(HttpRequestError.ResponseEnded, nameof(ForwardEnd.InDoubt), nameof(AttemptFault.Broken))]
    [InlineData(HttpRequestError.InvalidResponse, nameof(ForwardEnd.InDoubt), nameof(AttemptFault.Broken))]
    public void Classify_RequestFailure_IsHarmlessOnlyWithoutAConnection(
        HttpRequestError error, string end, string fault)
    {
        var exception = new HttpRequestException(error, "failed");
        var result = Classify(ForwarderError.Request, exception);
        result.End.ToString().ShouldBe(end);
        result.Fault.ToString().ShouldBe(fault);
        Classify(ForwarderError.ResponseBodyDestination, exception).End.ShouldBe(ForwardEnd.InDoubt);
        Classify(ForwarderError.RequestBodyDestination, exception).End.ShouldBe(ForwardEnd.InDoubt);
    }

    [Fact]
    public void Classify_ConnectTimeout_IsNotSentAndTimedOut()
    {
        Exception[] timeouts =
        [
            new TaskCanceledException("connect", new TimeoutException()),
            new HttpRequestException(HttpRequestError.ConnectionError, "connect", new TimeoutException()),
        ];
        foreach (var exception in timeouts)
        {
            var result = Classify(ForwarderError.Request, exception);
            (result.End, result.Fault).ShouldBe((ForwardEnd.NotSent, AttemptFault.TimedOut));
        }
    }

    [Fact]
    public void Classify_TimeoutOfTheAnswer_IsInDoubt()
    {
        var exception = new HttpRequestException(HttpRequestError.Unknown, "read", new TimeoutException());
        Classify(ForwarderError.Request, exception).End.ShouldBe(ForwardEnd.InDoubt);
        var result = Classify(ForwarderError.RequestTimedOut, new TaskCanceledException());
        (result.End, result.Fault).ShouldBe((ForwardEnd.InDoubt, AttemptFault.TimedOut));
        result = Classify(ForwarderError.RequestCanceled, new TaskCanceledException(), AttemptFault.TimedOut);
        (result.End, result.Fault).ShouldBe((ForwardEnd.InDoubt, AttemptFault.TimedOut));
    }

    [Fact]
    public void Classify_AClientThatLeft_IsItsFault()
    {
        var result = Classify(ForwarderError.RequestCanceled, new TaskCanceledException());
        (result.End, result.Fault).ShouldBe((ForwardEnd.InDoubt, AttemptFault.Client));
    }

    [Fact]
    public void Classify_CutAtTheEndOfTheSession_IsInDoubtAndNobodysFault()
    {
        var result = Classify(ForwarderError.RequestCanceled, new TaskCanceledException(), AttemptFault.SessionEnded);
        (result.End, result.Fault).ShouldBe((ForwardEnd.InDoubt, AttemptFault.SessionEnded));
    }

    [Theory]
    [InlineData(ForwarderError.RequestCanceled)]
    [InlineData(ForwarderError.RequestTimedOut)]
    [InlineData(ForwarderError.RequestBodyClient)]
    [InlineData(ForwarderError.RequestBodyCanceled)]
    [InlineData(ForwarderError.ResponseBodyCanceled)]
    public void Classify_TimeRanOutOnTheClient_IsInDoubtAndSaysNothingOfTheService(ForwarderError error)
    {
        var result = Classify(error, new TaskCanceledException(), AttemptFault.SlowClient);
        (result.End, result.Fault, result.IsNeutral).ShouldBe((ForwardEnd.InDoubt, AttemptFault.SlowClient, true));
    }

    [Fact]
    public void Classify_QuietTunnel_SaysNothingOfTheService()
    {
        var result = Classify(ForwarderError.UpgradeActivityTimeout, new TaskCanceledException());
        (result.End, result.IsNeutral).ShouldBe((ForwardEnd.InDoubt, true));
    }

    [Theory]
    [InlineData(SocketError.TooManyOpenSockets, true)]
    [InlineData(SocketError.AddressNotAvailable, true)]
    [InlineData(SocketError.NoBufferSpaceAvailable, true)]
    [InlineData(SocketError.ProcessLimit, true)]
    [InlineData(SocketError.ConnectionRefused, false)]
    [InlineData(SocketError.HostUnreachable, false)]
    [InlineData(SocketError.HostNotFound, false)]
    public void Classify_NoConnection_TellsAShortageHereFromTheService(SocketError error, bool isShortage)
    {
        foreach (var kind in new[] { HttpRequestError.ConnectionError, HttpRequestError.NameResolutionError })
        {
            var exception = new HttpRequestException(kind, "connect", new SocketException((int)error));
            var result = Classify(ForwarderError.Request, exception);
            result.End.ShouldBe(ForwardEnd.NotSent);
            result.Fault.ShouldBe(isShortage ? AttemptFault.Shortage : AttemptFault.Unreachable);
            result.IsNeutral.ShouldBe(isShortage);
        }
    }

    [Fact]
    public void ServiceTime_IsWhatTheClientDidNotTake()
    {
        var result = AttemptResult.OfAnswer(200, FencingPolicy.UsualInDoubtStatuses, TimeSpan.FromSeconds(9));
        result.ServiceTime.ShouldBe(TimeSpan.FromSeconds(9));
        (result with { ClientTime = TimeSpan.FromSeconds(7) }).ServiceTime.ShouldBe(TimeSpan.FromSeconds(2));
        (result with { ClientTime = TimeSpan.FromSeconds(14) }).ServiceTime.ShouldBe(TimeSpan.Zero);
    }

    private static AttemptResult Classify(
        ForwarderError error, Exception? exception = null, AttemptFault cut = AttemptFault.None) =>
        AttemptResult.OfFailure(error, exception, cut, hasLeft: true, status: 0, TimeSpan.Zero);
}
