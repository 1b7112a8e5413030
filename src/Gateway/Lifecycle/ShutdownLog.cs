namespace FenceGateway.Gateway.Lifecycle;

internal static partial class ShutdownLog
{
    [LoggerMessage(1302, LogLevel.Information, "Asked to stop: not ready any more, serving for another {delay}")]
    public static partial void Announced(this ILogger logger, TimeSpan delay);

    [LoggerMessage(1303, LogLevel.Error, "The token store could not be closed cleanly; the next start treats this as a "
        + "crash: {fault}")]
    public static partial void CloseFailed(this ILogger logger, string fault);

    [LoggerMessage(1305, LogLevel.Warning,
        "Not every registration could be withdrawn; the session's end decides how long they count: {fault}")]
    public static partial void WithdrawFailed(this ILogger logger, string fault);

    [LoggerMessage(1304, LogLevel.Information, "Stopped; {inFlight} writes were still in flight and {inDoubt} in "
        + "doubt")]
    public static partial void Stopped(this ILogger logger, int inFlight, int inDoubt);
}
