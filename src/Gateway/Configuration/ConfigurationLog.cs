namespace FenceGateway.Gateway.Configuration;

internal static partial class ConfigurationLog
{
    [LoggerMessage(1201, LogLevel.Information, "Configuration {file} taken over: {routes} routes, {policies} fencing policies")]
    public static partial void Reloaded(this ILogger logger, string file, int routes, int policies);

    [LoggerMessage(1202, LogLevel.Error, "Configuration {file} refused, the last good one keeps serving: {problems}")]
    public static partial void Refused(this ILogger logger, string file, string problems);

    [LoggerMessage(1203, LogLevel.Warning, "{section} has changed; that takes effect at the next start")]
    public static partial void NeedsRestart(this ILogger logger, string section);
}
