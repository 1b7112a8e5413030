using FenceGateway.Gateway.Admin;
using FenceGateway.Gateway.Configuration;
namespace FenceGateway.Gateway.Listeners;

/// <summary>Where the gateway listens, and that its two listeners are two.</summary>
internal static class ListenerRules
{
    public const string DefaultUrl = "http://127.0.0.1:8080";

    private const string AdminUrl = "$.FenceGateway.Admin.Url";

    public static void Check(IConfiguration configuration, AdminOptions options, List<ConfigProblem> problems)
    {
        var data = new List<(BindingAddress Address, string Path)>();
        foreach (var (url, path) in DataUrls(configuration))
        {
            if (Parse(url, path, problems) is { } address)
            {
                data.Add((address, path));
            }
        }

        if (options.Url.Length == 0 || Parse(options.Url, AdminUrl, problems) is not { } admin)
        {
            return;
        }

        if (!admin.Scheme.Equals("http", StringComparison.OrdinalIgnoreCase))
        {
            problems.Add(new(AdminUrl, $"is '{options.Url}'; the admin listener speaks http only"));
        }

        foreach (var (address, path) in data.Where(d => Overlap(d.Address, admin)))
        {
            problems.Add(new(AdminUrl, $"is '{options.Url}', which is also the data listener ({path} is '{address}')"));
        }
    }

    /// <summary>The addresses of the data listener and where they stand; Kestrel's own section goes first, as in Kestrel.</summary>
    public static IEnumerable<(string Url, string Path)> DataUrls(IConfiguration configuration)
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
            foreach (var port in ports.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                yield return ($"{scheme}://*:{port}", $"$.{scheme}_ports");
            }
        }
    }

    private static BindingAddress? Parse(string url, string path, List<ConfigProblem> problems)
    {
        try
        {
            var address = BindingAddress.Parse(url);
            if (address.Scheme is "http" or "https" && (address.PathBase.Length == 0 || address.IsUnixPipe))
            {
                return address;
            }
        }
        catch (FormatException)
        {
            // Reported below, with the same words.
        }

        problems.Add(new(path, $"is '{url}', which is no address to listen on (such as http://127.0.0.1:8080)"));
        return null;
    }

    private static bool Overlap(BindingAddress a, BindingAddress b) =>
        a.IsUnixPipe || b.IsUnixPipe
            ? a.IsUnixPipe && b.IsUnixPipe && a.UnixPipePath == b.UnixPipePath
            : a.Port == b.Port && a.Port != 0 && (Host(a) == Host(b) || Host(a) == "*" || Host(b) == "*");

    /// <summary>Kestrel listens on every address for a host that is neither an address nor localhost.</summary>
    private static string Host(BindingAddress address) => address.Host.ToLowerInvariant() switch
    {
        "localhost" or "127.0.0.1" or "[::1]" => "localhost",
        "0.0.0.0" or "[::]" => "*",
        var host when System.Net.IPAddress.TryParse(host, out _) => host,
        _ => "*",
    };
}
