namespace FenceGateway.Gateway.Fencing;

internal static partial class FencingLog
{
    [LoggerMessage(1001, LogLevel.Warning,
        "Policy {policy} reports only: a request to {resource} would have been refused as {outcome}: {detail}")]
    public static partial void WouldRefuse(
        this ILogger logger, string policy, string? resource, string outcome, string detail);

    [LoggerMessage(1002, LogLevel.Warning,
        "A write to {resource} with token {token} is in doubt: {reason}. Newer tokens wait for {hold}")]
    public static partial void InDoubt(this ILogger logger, string resource, long token, string reason, TimeSpan hold);

    [LoggerMessage(1003, LogLevel.Error,
        "The mark of {resource} could not be advanced to {token} after a success: {fault}")]
    public static partial void AdvanceFailed(this ILogger logger, string resource, long token, string fault);

    [LoggerMessage(1004, LogLevel.Warning,
        "The token store could not tell whether a token is current; {count} requests since the last such line: "
            + "{fault}")]
    public static partial void CannotTell(this ILogger logger, long count, string fault);

    [LoggerMessage(1005, LogLevel.Warning,
        "{path} gives resources other keys: {to} instead of {from}. Marks of the old keys do not count for the new "
            + "ones")]
    public static partial void TemplateChanged(this ILogger logger, string path, string from, string to);

    [LoggerMessage(1680, LogLevel.Warning,
        "Requests go on UNFENCED since the token store is away and policy {policy} has StoreUnavailable: Allow; "
            + "{count} since the last such line: {fault}")]
    public static partial void StoreBypassed(this ILogger logger, string policy, long count, string fault);
}
