using System.Net;
using FenceGateway.Gateway.Configuration;
using Microsoft.AspNetCore.HttpOverrides;

namespace FenceGateway.Gateway.Requests;

/// <summary>
/// Whose word about a client and its request counts. Without trusted proxies the address is that of the connection,
/// whatever <c>X-Forwarded-For</c> says.
/// </summary>
internal static class TrustedProxies
{
    /// <summary>Where ASP.NET's middleware notes the address of the connection.</summary>
    public const string OriginalFor = "X-Original-For";

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
                    ConfigPath.Of(
                        SectionNames.Gateway, SectionNames.Requests, nameof(options.TrustedProxies), i.ToString()),
                    $"is '{text}' where an address (10.0.0.7, fd00::7) or a network (10.0.0.0/8) is expected"));
            }
        }
    }

    /// <summary>
    /// Takes the client's address from <c>X-Forwarded-For</c>, right to left, as far as proxies are trusted. Neither
    /// host nor scheme of the request change: a proxy that hands on what its client wrote there must not steer routes
    /// or the fence.
    /// </summary>
    public static void UseTrustedProxies(this IApplicationBuilder app, RequestOptions options)
    {
        if (options.TrustedProxies.Count == 0)
        {
            // ASP.NET's middleware would believe everybody.
            return;
        }

        var forwarded =
            new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor, ForwardLimit = MaxHops };
        forwarded.KnownProxies.Clear();
        forwarded.KnownIPNetworks.Clear();
        var networks = options.TrustedProxies.Select(text => Parse(text)!.Value).ToArray();
        Array.ForEach(networks, forwarded.KnownIPNetworks.Add);

        app.Use((context, next) =>
        {
            if (Peer(context) is { } peer && Array.Exists(networks, network => network.Contains(peer)))
            {
                context.Features.Set(new TrustedProxy(peer, context.Request.Headers["X-Forwarded-For"]));
            }

            return next(context);
        });
        app.UseForwardedHeaders(forwarded);
    }

    /// <summary>
    /// Who connects, without what only this machine understands of its address: IPv4 in IPv6 form, and the zone.
    /// </summary>
    private static IPAddress? Peer(HttpContext context) => context.Connection.RemoteIpAddress switch
    {
        { IsIPv4MappedToIPv6: true } mapped => mapped.MapToIPv4(),
        { IsIPv6LinkLocal: true } local => new IPAddress(local.GetAddressBytes()),
        var peer => peer,
    };

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
