namespace FenceGateway.TokenStore.Sql;

/// <summary>What the stores on SQL databases tell. Event ids 2240 … 2269.</summary>
internal static partial class SqlStoreLog
{
    [LoggerMessage(2240, LogLevel.Information, "Token store tables {prefix}_* made, version {version}, in {location}")]
    public static partial void SchemaMade(ILogger logger, string prefix, int version, string location);

    [LoggerMessage(2241, LogLevel.Error,
        "THE TOKEN STORE'S TABLES ARE OTHER ONES THAN BEFORE: {location} has lost or replaced its data, and with it "
        + "marks that were promised. Stale holders can write again")]
    public static partial void DataReplaced(ILogger logger, string location);

    [LoggerMessage(2242, LogLevel.Warning,
        "The connection that listens for changes in {location} was lost, trying again: {error}. Takeovers are slower "
            + "meanwhile")]
    public static partial void ListenerLost(ILogger logger, string location, string error);

    [LoggerMessage(2243, LogLevel.Information, "Listening for changes in {location} again")]
    public static partial void ListenerBack(ILogger logger, string location);

    [LoggerMessage(2244, LogLevel.Debug, "The token store's database broke a step off and has undone it, taking it "
        + "again: {error}")]
    public static partial void StepRetried(ILogger logger, string error);

    [LoggerMessage(2245, LogLevel.Debug,
        "The token store's settings could not be read again, or what nobody needs any more not be removed, trying "
            + "again later: {error}")]
    public static partial void UpkeepFailed(ILogger logger, string error);

    [LoggerMessage(2246, LogLevel.Warning, "The grade of the token store in {location} is {grade} now and was "
        + "{before}. {reasons}")]
    public static partial void GradeChanged(
        ILogger logger, string location, SafetyGrade grade, SafetyGrade before, string reasons);
}
