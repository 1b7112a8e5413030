using FenceGateway.Gateway.Configuration;
namespace FenceGateway.Gateway.Settings;

/// <summary>The settings that are read once, at start.</summary>
internal static class RestartSettings
{
    private static readonly string[] Keys =
    [
        "Urls", "http_ports", "https_ports", "Kestrel", "Serilog", "FenceGateway:InstanceName", "FenceGateway:Admin",
        "FenceGateway:TokenStore", "FenceGateway:Idempotency", "FenceGateway:Shutdown", "FenceGateway:Requests",
        "FenceGateway:Limits:MaxConnections",
    ];

    public static Dictionary<string, string?> Of(IConfiguration configuration) => Keys
        .SelectMany(key => configuration.GetSection(key).AsEnumerable())
        .Where(pair => pair.Value is not null)
        .ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.OrdinalIgnoreCase);

    /// <summary>The JSON paths of those that differ.</summary>
    public static string[] Changed(
        IReadOnlyDictionary<string, string?> started, IReadOnlyDictionary<string, string?> now) =>
    [
        .. started.Keys.Union(now.Keys, StringComparer.OrdinalIgnoreCase)
            .Where(
                key => !string.Equals(
                    started.GetValueOrDefault(key), now.GetValueOrDefault(key), StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(key => ConfigPath.Of(key)),
    ];
}
