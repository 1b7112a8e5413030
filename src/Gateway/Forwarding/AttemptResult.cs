using System.Net.Sockets;
using FenceGateway.Gateway.Requests;
using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>How one attempt to get an answer from the service ended.</summary>
/// <param name="End">What is known of it at the service.</param>
/// <param name="Fault">What went wrong, and on whose side.</param>
/// <param name="Status">The service's status; 0 when its answer's head did not arrive.</param>
/// <param name="Duration">From the start of the attempt to its end.</param>
internal readonly record struct AttemptResult(ForwardEnd End, AttemptFault Fault, int Status, TimeSpan Duration)
{
    /// <summary>How much of <see cref="Duration"/> the gateway has waited for the client: to send its body, to take the
    /// answer.</summary>
    public TimeSpan ClientTime { get; init; }

    /// <summary>How long it took without its client.</summary>
    public TimeSpan ServiceTime => Duration > ClientTime ? Duration - ClientTime : TimeSpan.Zero;

    /// <summary>Whether it says nothing about the service: it ended by the client, or by the gateway itself.</summary>
    public bool IsNeutral => Fault is AttemptFault.Client or AttemptFault.SlowClient or AttemptFault.SessionEnded
        or AttemptFault.Shortage or AttemptFault.Gateway;

    /// <summary>Whether the service may have done what was asked, as far as anybody can tell.</summary>
    public bool MayBeApplied => End == ForwardEnd.InDoubt || (End == ForwardEnd.Answered && !SaysAgain(Status));

    /// <summary>
    /// The service has not done anything and wants to be asked again, with other credentials or later.
    /// </summary>
    public static bool SaysAgain(int status) => status is StatusCodes.Status401Unauthorized
        or StatusCodes.Status408RequestTimeout
        or 425 // Too Early
        or StatusCodes.Status429TooManyRequests
        or StatusCodes.Status503ServiceUnavailable;

    /// <summary>
    /// The service has answered. An intermediary's word that it does not know is no end of what it was asked (R5).
    /// </summary>
    /// <param name="status">With this.</param>
    /// <param name="inDoubt">Statuses by which nobody knows what the service has done.</param>
    /// <param name="duration">How long it took.</param>
    public static AttemptResult OfAnswer(int status, StatusSet inDoubt, TimeSpan duration) =>
        new(inDoubt.Contains(status) ? ForwardEnd.InDoubt : ForwardEnd.Answered, AttemptFault.None, status, duration);

    /// <summary>Classifies what YARP reports. Whatever is not known to be harmless is in doubt.</summary>
    /// <param name="error">YARP's error.</param>
    /// <param name="exception">What caused it, if anything.</param>
    /// <param name="cut">Why the gateway itself has ended it: a time-out has passed, or its session has ended; none
    /// when it has not.</param>
    /// <param name="hasLeft">Whether anything of the request may have left.</param>
    /// <param name="status">The service's status, if the head of its answer has arrived; else 0.</param>
    /// <param name="duration">How long it took.</param>
    public static AttemptResult OfFailure(
        ForwarderError error, Exception? exception, AttemptFault cut, bool hasLeft, int status, TimeSpan duration)
    {
        var (end, fault) = Classify(error, exception, cut);
        return new AttemptResult(hasLeft ? end : ForwardEnd.NotSent, fault, status, duration);
    }

    private static (ForwardEnd End, AttemptFault Fault) Classify(
        ForwarderError error, Exception? exception, AttemptFault cut) => error switch
        {
            ForwarderError.NoAvailableDestinations or ForwarderError.RequestCreation =>
                (ForwardEnd.NotSent, AttemptFault.Gateway),
            ForwarderError.Request or ForwarderError.RequestTimedOut when ConnectFault(exception) is { } fault =>
                (ForwardEnd.NotSent, fault),
            _ when cut != AttemptFault.None => (ForwardEnd.InDoubt, cut),
            ForwarderError.RequestTimedOut => (ForwardEnd.InDoubt, AttemptFault.TimedOut),

            // A tunnel through which nothing has come from either end.
            ForwarderError.UpgradeActivityTimeout => (ForwardEnd.InDoubt, AttemptFault.SlowClient),
            ForwarderError.RequestCanceled or ForwarderError.RequestBodyCanceled or ForwarderError.RequestBodyClient
                or ForwarderError.ResponseBodyCanceled or ForwarderError.ResponseBodyClient
                or ForwarderError.UpgradeRequestCanceled or ForwarderError.UpgradeRequestClient
                or ForwarderError.UpgradeResponseCanceled or ForwarderError.UpgradeResponseClient =>
                (ForwardEnd.InDoubt, AttemptFault.Client),
            _ => (ForwardEnd.InDoubt, AttemptFault.Broken),
        };

    /// <summary>Why no connection came about; null when one did. HttpClient tells a connect time-out only by its inner
    /// exception.</summary>
    private static AttemptFault? ConnectFault(Exception? exception) => exception switch
    {
        OperationCanceledException { InnerException: TimeoutException }
            or HttpRequestException
        {
            HttpRequestError: HttpRequestError.ConnectionError,
            InnerException: TimeoutException,
        } => AttemptFault.TimedOut,
        HttpRequestException
        {
            HttpRequestError: HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError,
            InnerException: SocketException failure,
        } when IsShortage(failure.SocketErrorCode) => AttemptFault.Shortage,
        HttpRequestException
        {
            HttpRequestError: HttpRequestError.NameResolutionError
                or HttpRequestError.ConnectionError
                or HttpRequestError.SecureConnectionError,
        } => AttemptFault.Unreachable,
        _ => null,
    };

    /// <summary>Whether a connection failed for want of something here: a descriptor, a local port or address, the
    /// kernel's memory.</summary>
    public static bool IsShortage(SocketError error) => error is SocketError.TooManyOpenSockets
        or SocketError.AddressNotAvailable
        or SocketError.NoBufferSpaceAvailable
        or SocketError.ProcessLimit;
}

/// <summary>What is known of a forwarded request at the service.</summary>
internal enum ForwardEnd
{
    /// <summary>The service gave a complete answer, which is its word.</summary>
    Answered,

    /// <summary>Nothing was sent: it can be tried again anywhere.</summary>
    NotSent,

    /// <summary>
    /// Something was sent and no complete answer came, or one that does not know either: it may still be applied (R5).
    /// </summary>
    InDoubt,
}

/// <summary>What went wrong with an attempt.</summary>
internal enum AttemptFault
{
    None,

    /// <summary>No connection came about.</summary>
    Unreachable,

    /// <summary>A time-out has passed: to connect, to the first byte, idle, or the total.</summary>
    TimedOut,

    /// <summary>The connection ended before the answer was complete, or what came was not HTTP.</summary>
    Broken,

    /// <summary>The client went away, or its body could not be read.</summary>
    Client,

    /// <summary>A time-out has passed while the gateway waited for the client: for its body, or for it to take the
    /// answer.</summary>
    SlowClient,

    /// <summary>The session in which it was admitted has ended, and the gateway has cut it off.</summary>
    SessionEnded,

    /// <summary>The gateway had nothing left to open a connection with: no descriptor, or no local port.</summary>
    Shortage,

    /// <summary>The gateway could not make the request, or has no destination for it.</summary>
    Gateway,
}
