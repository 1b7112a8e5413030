using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using Microsoft.Extensions.Primitives;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace FenceGateway.Gateway.Requests;

/// <summary>
/// What the service is told of a request's way to the gateway. What a trusted proxy says of it is kept, and the proxy
/// itself is added; what anybody else says is replaced by what the gateway sees.
/// </summary>
internal static class ForwardedChain
{
    private const string For = "X-Forwarded-For";
    private const string Host = "X-Forwarded-Host";
    private const string Forwarded = "Forwarded";

    /// <summary>Headers with which proxies tell what YARP does not write.</summary>
    private static readonly string[] NotWritten = ["X-Forwarded-Port", "X-Forwarded-Server", "X-Real-IP"];

    private static readonly string[] Kept = ["X-Forwarded-Proto", "X-Forwarded-Prefix", .. NotWritten];

    /// <summary>
    /// The headers of which the service does not get what a client says, on a route that has no transform for them.
    /// </summary>
    public static readonly string[] Headers = [For, Host, Forwarded, .. Kept];

    public static IReverseProxyBuilder AddForwardedChain(this IReverseProxyBuilder builder) =>
        builder.AddTransforms(Add);

    private static void Add(TransformBuilderContext context)
    {
        if (context.UseDefaultForwarders == false)
        {
            // The route has transforms of its own for these headers.
            return;
        }

        context.UseDefaultForwarders = false;
        context.AddXForwarded();
        context.AddRequestTransform(static transform =>
        {
            var headers = transform.ProxyRequest.Headers;
            if (transform.HttpContext.Features.Get<TrustedProxy>() is { } proxy)
            {
                Extend(transform.HttpContext, headers, proxy);
            }
            else
            {
                Array.ForEach(NotWritten, name => headers.Remove(name));
            }

            return ValueTask.CompletedTask;
        });
    }

    private static void Extend(HttpContext context, HttpRequestHeaders headers, TrustedProxy proxy)
    {
        var said = context.Request.Headers;
        headers.Remove(TrustedProxies.OriginalFor);
        Set(headers, For, Append(proxy.ForwardedFor, proxy.Address.ToString()));
        foreach (var name in Kept)
        {
            Keep(headers, name, said[name]);
        }

        // The fence names the resource by the request's own Host. The service must not see another one.
        if (context.GetEndpoint()?.Metadata.GetMetadata<FencingPolicy>()?.Resource.Uses(ResourceValueKind.Host) == true)
        {
            return;
        }

        Keep(headers, Host, said[Host]);
        if (said[Forwarded] is { Count: > 0 } hops)
        {
            Set(headers, Forwarded, Append(hops, $"for={Node(proxy.Address)}"));
        }
    }

    private static void Keep(HttpRequestHeaders headers, string name, StringValues values)
    {
        if (values.Count > 0)
        {
            Set(headers, name, values.ToString());
        }
    }

    private static void Set(HttpRequestHeaders headers, string name, string value)
    {
        headers.Remove(name);
        headers.TryAddWithoutValidation(name, value);
    }

    private static string Append(StringValues hops, string hop) =>
        StringValues.IsNullOrEmpty(hops) ? hop : string.Join(", ", [.. hops, hop]);

    /// <summary>An address as RFC 7239, section 6 writes it.</summary>
    private static string Node(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetworkV6 ? $"\"[{address}]\"" : address.ToString();
}

/// <summary>The request came from a trusted proxy. A request feature.</summary>
/// <param name="Address">Where the proxy has its connection from.</param>
/// <param name="ForwardedFor">What it said of the addresses before its own.</param>
internal sealed record TrustedProxy(IPAddress Address, StringValues ForwardedFor);
