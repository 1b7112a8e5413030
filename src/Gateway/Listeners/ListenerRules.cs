using FenceGateway.Gateway.Admin;
using FenceGateway.Gateway.Configuration;
namespace FenceGateway.Gateway.Listeners;

/// <summary>Where the gateway listens, and that its two listeners are two.</summary>
internal static class ListenerRules
{
    private const string AdminUrl = "$.FenceGateway.Admin.Url";

    public static void Check(IConfiguration configuration, AdminOptions options, List<ConfigProblem> problems)
    {
        var data = new List<(BindingAddress Address, string Path)>();
        foreach (var (url, path) in DataUrls.Of(configuration))
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

    private static BindingAddress? Parse(string url, string path, List<ConfigProblem> problems)
    {
        if (url.Contains('@', StringComparison.Ordinal) && !url.Contains("//unix:", StringComparison.OrdinalIgnoreCase))
        {
            // Not shown: what stands before it may be a password.
            problems.Add(
                new(path, "has a user name in it, which no address to listen on has (such as http://127.0.0.1:8080)"));
            return null;
        }

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
