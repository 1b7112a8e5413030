namespace FenceGateway.TokenStore.Memory;

/// <summary>What the memory store tells. Event ids 2100 … 2109.</summary>
internal static partial class MemoryLog
{
    [LoggerMessage(2100, LogLevel.Warning,
        "THE TOKEN STORE IS IN MEMORY ONLY: when this process ends every mark is forgotten, and a stale holder can "
        + "write again. For tests; use Provider Embedded for anything else")]
    public static partial void Forgets(ILogger logger);
}
