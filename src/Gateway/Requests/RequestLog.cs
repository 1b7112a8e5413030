namespace FenceGateway.Gateway.Requests;

internal static partial class RequestLog
{
    [LoggerMessage(EventId = 1501, Message =
        "{method} {path} on route {route} answered {status} in {latencyMs} ms; correlation {correlationId}, tenant {tenantId}")]
    public static partial void Answered(
        this ILogger logger, LogLevel level, string method, string? path, string? route, int status, double latencyMs,
        string correlationId, string? tenantId);

    [LoggerMessage(EventId = 1502, Message =
        "{method} {path} on route {route} answered {status} in {latencyMs} ms, {outcome} at {resource} with token {token}; "
        + "correlation {correlationId}, tenant {tenantId}")]
    public static partial void AnsweredFenced(
        this ILogger logger, LogLevel level, string method, string? path, string? route, int status, double latencyMs, string outcome,
        string? resource, long? token, string correlationId, string? tenantId);

    [LoggerMessage(1503, LogLevel.Error, "{method} {path} failed in the gateway")]
    public static partial void Failed(this ILogger logger, Exception exception, string method, string? path);
}
