namespace FenceGateway.Gateway.Configuration;

/// <summary>Where the data listener listens, by the settings of .NET.</summary>
internal static class DataUrls
{
    public const string Default = "http://127.0.0.1:8080";

    /// <summary>
    /// The addresses of the data listener and where they stand; Kestrel's own section goes first, as in Kestrel.
    /// </summary>
    public static IEnumerable<(string Url, string Path)> Of(IConfiguration configuration)
    {
        var endpoints = configuration.GetSection("Kestrel:Endpoints").GetChildren().ToArray();
        foreach (var endpoint in endpoints)
        {
            yield return (endpoint["Url"] ?? "", ConfigPath.Of($"{endpoint.Path}:Url"));
        }

        if (endpoints.Length > 0)
        {
            yield break;
        }

        var urls = configuration["Urls"] ?? "";
        foreach (var url in urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            yield return (url, "$.Urls");
        }

        foreach (var scheme in urls.Length > 0 ? [] : new[] { "http", "https" })
        {
            var ports = configuration[$"{scheme}_ports"] ?? "";
            foreach (var port in ports
                .Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                yield return ($"{scheme}://*:{port}", $"$.{scheme}_ports");
            }
        }
    }
}
