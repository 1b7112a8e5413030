namespace FenceGateway.Gateway.Requests;

/// <summary>Event ids 1501 … 1509; 1501 and 1502 are the <see cref="AccessLine"/>'s, 1505 is the output's
/// own.</summary>
internal static partial class RequestLog
{
    [LoggerMessage(1503, LogLevel.Error, "{method} {path} failed in the gateway")]
    public static partial void Failed(this ILogger logger, Exception exception, string method, string? path);
}
