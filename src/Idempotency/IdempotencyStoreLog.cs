namespace FenceGateway.Idempotency;

/// <summary>What the idempotency store tells. Event ids 1641 … 1649.</summary>
internal static partial class IdempotencyStoreLog
{
    [LoggerMessage(1641, LogLevel.Information,
        "Idempotency store {path}: opened with {keys} keys in {elapsedMs} ms; of {unknown} of them the outcome is "
            + "unknown")]
    public static partial void Opened(ILogger logger, string path, long keys, int unknown, double elapsedMs);

    [LoggerMessage(1642, LogLevel.Warning,
        "Idempotency store {path}: the last write was not finished, {bytes} bytes are cut off. Nobody was told of "
            + "them")]
    public static partial void TornTail(ILogger logger, string path, int bytes);

    [LoggerMessage(1643, LogLevel.Error,
        "Idempotency store: nothing can be written, requests with a new Idempotency-Key are refused until it can: "
            + "{reason}")]
    public static partial void WriteFailed(ILogger logger, string reason, Exception exception);

    [LoggerMessage(1644, LogLevel.Information, "Idempotency store: it can be written again")]
    public static partial void WriteRecovered(ILogger logger);

    [LoggerMessage(1645, LogLevel.Critical,
        "Idempotency store: a flush to disk failed, requests with a new Idempotency-Key are refused until a restart: "
            + "{reason}")]
    public static partial void FlushFailed(ILogger logger, string reason, Exception exception);

    [LoggerMessage(1646, LogLevel.Critical,
        "Idempotency store: the writer thread died, requests with a new Idempotency-Key are refused until a restart")]
    public static partial void WriterDied(ILogger logger, Exception exception);

    [LoggerMessage(1647, LogLevel.Error,
        "Idempotency store: a stored answer in {file} cannot be read, its outcome counts as unknown: {reason}")]
    public static partial void AnswerUnreadable(ILogger logger, string file, string reason, Exception? exception);
}
