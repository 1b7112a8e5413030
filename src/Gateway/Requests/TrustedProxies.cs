using System.Net;
using FenceGateway.Gateway.Configuration;
using Microsoft.AspNetCore.HttpOverrides;

namespace FenceGateway.Gateway.Requests;

/// <summary>
/// Whose word about a client's address counts. Without trusted proxies the address is that of the connection, whatever
/// <c>X-Forwarded-For</c> says.
/// </summary>
internal static class TrustedProxies
{
    /// <summary>More proxies than anybody has one behind the other.</summary>
    private const int MaxHops = 16;

    public static void Check(RequestOptions options, List<ConfigProblem> problems)
    {
        for (var i = 0; i < options.TrustedProxies.Count; i++)
        {
            var text = options.TrustedProxies[i];
            if (text.Length > 0 && Parse(text) is null)
            {
                problems.Add(new(
                    ConfigPath.Of(SectionNames.Gateway, SectionNames.Requests, nameof(options.TrustedProxies), i.ToString()),
                    $"is '{text}' where an address (10.0.0.7, fd00::7) or a network (10.0.0.0/8) is expected"));
            }
        }
    }

    /// <summary>Takes the client's address from <c>X-Forwarded-For</c>, right to left, as far as proxies are trusted.</summary>
    public static void UseTrustedProxies(this IApplicationBuilder app, RequestOptions options)
    {
        if (options.TrustedProxies.Count == 0)
        {
            // ASP.NET's middleware would believe everybody.
            return;
        }

        var forwarded = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor, ForwardLimit = MaxHops };
        forwarded.KnownProxies.Clear();
        forwarded.KnownIPNetworks.Clear();
        foreach (var text in options.TrustedProxies)
        {
            forwarded.KnownIPNetworks.Add(Parse(text)!.Value);
        }

        app.UseForwardedHeaders(forwarded);
    }

    private static System.Net.IPNetwork? Parse(string text)
    {
        if (System.Net.IPNetwork.TryParse(text, out var network))
        {
            return network;
        }

        // "1" is the address 0.0.0.1 to .NET, which nobody means.
        var isAddress = text.AsSpan().ContainsAny('.', ':') && !text.Contains('/', StringComparison.Ordinal);
        return isAddress && IPAddress.TryParse(text, out var address)
            ? new System.Net.IPNetwork(address, address.GetAddressBytes().Length * 8)
            : null;
    }
}
