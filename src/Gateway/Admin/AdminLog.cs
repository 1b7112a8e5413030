namespace FenceGateway.Gateway.Admin;

internal static partial class AdminLog
{
    [LoggerMessage(1401, LogLevel.Information, "Admin listening on {address}")]
    public static partial void Listening(this ILogger logger, string address);

    [LoggerMessage(1402, LogLevel.Warning, "Audit: {actor} set the mark of {resource} from {oldMark} to {newMark}: "
        + "{reason}")]
    public static partial void MarkSet(
        this ILogger logger, string actor, string resource, long oldMark, long newMark, string reason);

    [LoggerMessage(1403, LogLevel.Warning, "Audit: {actor} resolved {count} tokens in doubt of {resource}: {reason}")]
    public static partial void Resolved(this ILogger logger, string actor, string resource, int count, string reason);

    [LoggerMessage(1404, LogLevel.Warning,
        "Audit: {actor} asked to set the mark of {resource} from {oldMark} to {newMark}: {reason}. Outcome unknown: "
            + "{fault}")]
    public static partial void MarkMayBeSet(
        this ILogger logger, string actor, string resource, long oldMark, long newMark, string reason, string fault);

    [LoggerMessage(1405, LogLevel.Warning, "Audit: {actor} asked to resolve tokens in doubt of {resource}: {reason}. "
        + "Outcome unknown: {fault}")]
    public static partial void MayBeResolved(
        this ILogger logger, string actor, string resource, string reason, string fault);
}
