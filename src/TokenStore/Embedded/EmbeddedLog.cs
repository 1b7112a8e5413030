namespace FenceGateway.TokenStore.Embedded;

/// <summary>What the embedded store tells. Event ids 2000 … 2099.</summary>
internal static partial class EmbeddedLog
{
    [LoggerMessage(2000, LogLevel.Information,
        "Token store {path}: an empty folder, begun anew. No mark is known")]
    public static partial void Created(ILogger logger, string path);

    [LoggerMessage(2001, LogLevel.Information,
        "Token store {path}: opened with {resources} resources in {elapsedMs} ms")]
    public static partial void Opened(ILogger logger, string path, long resources, double elapsedMs);

    [LoggerMessage(2002, LogLevel.Warning,
        "Token store {path}: the last stop was not clean. Tokens newer than a recovered mark wait for InDoubtHold from "
        + "now, since the process that died may have left writes in flight")]
    public static partial void Unclean(ILogger logger, string path);

    [LoggerMessage(2003, LogLevel.Warning,
        "Token store: the last write to {file} was not finished. {bytes} bytes at offset {offset} are cut off and kept "
        + "in {torn}. No answer was given on them")]
    public static partial void TornTail(ILogger logger, string file, long offset, int bytes, string torn);

    [LoggerMessage(2004, LogLevel.Error,
        "Token store: the log cannot be written, no token that is new is admitted until it can: {reason}")]
    public static partial void WriteFailed(ILogger logger, string reason, Exception exception);

    [LoggerMessage(2005, LogLevel.Information, "Token store: the log can be written again")]
    public static partial void WriteRecovered(ILogger logger);

    [LoggerMessage(2006, LogLevel.Critical,
        "Token store: a flush to disk failed, no token that is new is admitted until a restart: {reason}")]
    public static partial void FlushFailed(ILogger logger, string reason, Exception exception);

    [LoggerMessage(2007, LogLevel.Information,
        "Token store: snapshot of {resources} resources, {bytes} bytes, in {elapsedMs} ms")]
    public static partial void SnapshotWritten(ILogger logger, long resources, long bytes, double elapsedMs);

    [LoggerMessage(2008, LogLevel.Warning,
        "Token store: a snapshot failed and is tried again later; the log grows until then: {reason}")]
    public static partial void SnapshotFailed(ILogger logger, string reason, Exception exception);

    [LoggerMessage(2009, LogLevel.Critical, "Token store: the writer thread died, no token that is new is admitted "
        + "until a restart")]
    public static partial void WriterDied(ILogger logger, Exception exception);

    [LoggerMessage(2010, LogLevel.Warning,
        "Token store: the mark of {resource} was set from {oldMark} to {mark} by {actor}: {reason}")]
    public static partial void MarkSet(
        ILogger logger, string resource, long oldMark, long mark, string actor, string reason);

    [LoggerMessage(2011, LogLevel.Warning,
        "Token store: {resources} resources are more than MaxResources {maxResources}: all are kept, new ones are "
            + "refused")]
    public static partial void OverFull(ILogger logger, long resources, long maxResources);

    [LoggerMessage(2012, LogLevel.Information, "Token store {path}: closed. Clean: {clean}")]
    public static partial void Closed(ILogger logger, string path, bool clean);
}
