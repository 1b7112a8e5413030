using FenceGateway.Idempotency;

namespace FenceGateway.Gateway.Idempotency;

/// <summary>Event ids 1650 … 1659. The key itself is in none of them: it opens the answer to whoever has it.</summary>
internal static partial class IdempotencyLog
{
    [LoggerMessage(1650, LogLevel.Warning,
        "A request with an Idempotency-Key on route {route} may have been applied and was not answered: its outcome is "
            + "unknown")]
    public static partial void InDoubt(this ILogger logger, string route);

    [LoggerMessage(1651, LogLevel.Warning,
        "The answer to a request with an Idempotency-Key on route {route} is longer than MaxAnswerBody, "
        + "{maxAnswerBody} bytes, and cannot be repeated")]
    public static partial void AnswerTooLong(this ILogger logger, string route, int maxAnswerBody);

    [LoggerMessage(1652, LogLevel.Error,
        "The answer to a request with an Idempotency-Key on route {route} could not be stored and cannot be repeated: "
            + "{fault}")]
    public static partial void AnswerNotStored(this ILogger logger, string route, string fault);

    [LoggerMessage(1653, LogLevel.Information,
        "A repeat on route {route} was refused because the outcome of the first request is unknown ({reason})")]
    public static partial void RepeatOfUnknown(this ILogger logger, string route, UnknownReason reason);

    [LoggerMessage(1654, LogLevel.Error,
        "The idempotency store could not be opened, requests with an Idempotency-Key are refused until a restart: "
            + "{fault}")]
    public static partial void NotOpened(this ILogger logger, string fault, Exception exception);
}
