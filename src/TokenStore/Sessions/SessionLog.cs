namespace FenceGateway.TokenStore;

internal static partial class SessionLog
{
    [LoggerMessage(2310, LogLevel.Information, "Session {session} started in {provider} at {location}, grade {grade}; "
        + "it lives {timeToLive} without a heartbeat")]
    public static partial void Started(
        ILogger logger, string session, string provider, string location, SafetyGrade grade, TimeSpan timeToLive);

    [LoggerMessage(2316, LogLevel.Information, "Session {session} started in {provider} at {location}, grade {grade}; "
        + "it lives as long as this process")]
    public static partial void StartedForLife(
        ILogger logger, string session, string provider, string location, SafetyGrade grade);

    [LoggerMessage(2311, LogLevel.Error, "Session {session} was lost: {why} Nothing is admitted until there is a new "
        + "one")]
    public static partial void Lost(ILogger logger, string session, string why);

    [LoggerMessage(2312, LogLevel.Warning, "The token store is away, fenced requests get 503: {fault}")]
    public static partial void Away(ILogger logger, string fault);

    [LoggerMessage(2313, LogLevel.Information, "The token store is back")]
    public static partial void Back(ILogger logger);

    [LoggerMessage(2314, LogLevel.Warning, "{provider} at {location} has the grade {grade}: {reason}")]
    public static partial void WeakGrade(
        ILogger logger, string provider, string location, SafetyGrade grade, string reason);

    [LoggerMessage(2315, LogLevel.Debug, "A call that ends or withdraws from session {session} failed: {fault}")]
    public static partial void FarewellFailed(ILogger logger, string session, string fault);
}
