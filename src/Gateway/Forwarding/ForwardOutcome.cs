using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>How a forwarded request ended at the service, as far as the gateway can know.</summary>
internal enum ForwardEnd
{
    /// <summary>The service gave a complete answer, with any status.</summary>
    Answered,

    /// <summary>Nothing was sent: it can be tried again anywhere.</summary>
    NotSent,

    /// <summary>Something was sent and no complete answer came: it may still be applied (R5).</summary>
    InDoubt,
}

/// <summary>How a forwarded request ended, and whether time ran out.</summary>
internal readonly record struct ForwardOutcome(ForwardEnd End, bool TimedOut)
{
    /// <summary>Classifies what YARP reports. Whatever is not known to be harmless is in doubt.</summary>
    /// <param name="error">YARP's error; none when the answer was relayed whole.</param>
    /// <param name="exception">What caused it, if anything.</param>
    /// <param name="deadlineExpired">Whether the gateway's own deadline for the write, or the route's time-out, has passed.</param>
    public static ForwardOutcome Classify(ForwarderError error, Exception? exception, bool deadlineExpired) => error switch
    {
        ForwarderError.None => new(ForwardEnd.Answered, TimedOut: false),
        ForwarderError.NoAvailableDestinations or ForwarderError.RequestCreation => new(ForwardEnd.NotSent, TimedOut: false),
        ForwarderError.Request or ForwarderError.RequestTimedOut when IsConnectFailure(exception, out var slow) =>
            new(ForwardEnd.NotSent, slow),
        ForwarderError.RequestTimedOut => new(ForwardEnd.InDoubt, TimedOut: true),
        _ => new(ForwardEnd.InDoubt, deadlineExpired),
    };

    /// <summary>Whether no connection came about. HttpClient tells a connect time-out only by its inner exception.</summary>
    private static bool IsConnectFailure(Exception? exception, out bool timedOut)
    {
        timedOut = exception is OperationCanceledException { InnerException: TimeoutException };
        return timedOut || exception is HttpRequestException
        {
            HttpRequestError: HttpRequestError.NameResolutionError
                or HttpRequestError.ConnectionError
                or HttpRequestError.SecureConnectionError,
        };
    }
}
