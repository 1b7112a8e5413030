using System.Buffers;
using FenceGateway.Gateway.Fencing;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Transforms;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// Sends an escaped path on as it came, on a route that is not fenced. The listener decodes a path but for <c>%2F</c>,
/// and so cannot tell <c>%2F</c> from <c>%252F</c>; YARP encodes what is decoded, and a service would get <c>%252F</c>
/// for both. On a fenced route there is one canonical form of a target, and neither of the two passes (R13).
/// </summary>
internal static class PathAsItCame
{
    /// <summary>
    /// RFC 3986, section 3.3: a path in which nothing else than these stands means the same to URI parsers.
    /// </summary>
    private static readonly SearchValues<char> Sendable =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/%");

    public static IReverseProxyBuilder AddPathAsItCame(this IReverseProxyBuilder builder) =>
        builder.AddTransforms(static context => context.AddRequestTransform(static transform =>
        {
            var policy = transform.HttpContext.GetEndpoint()?.Metadata.GetMetadata<FencingPolicy>();
            if (policy is null or { Mode: FencingMode.Off } && transform.ProxyRequest.RequestUri is null)
            {
                transform.ProxyRequest.RequestUri = Target(transform);
            }

            return ValueTask.CompletedTask;
        }));

    /// <summary>
    /// Where the request goes, with as much of the path as the route's transforms have left; null where YARP's own way
    /// is as good.
    /// </summary>
    private static Uri? Target(RequestTransformContext transform)
    {
        var target = transform.HttpContext.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var raw = TargetGuard.PathOf(target);
        if (!raw.Contains('%') || raw.ContainsAnyExcept(Sendable))
        {
            return null;
        }

        var head = transform.Path.Value.AsSpan();
        var kept = target.StartsWith('/')
            ? Tail(raw, transform.HttpContext.Request.Path.Value, ref head)
            : Whole(raw, transform.HttpContext.Request.Path.Value, ref head);
        if (kept.IsEmpty)
        {
            return null;
        }

        var prefix = transform.DestinationPrefix;
        var start = head.IsEmpty
            ? prefix
            : RequestUtilities.MakeDestinationAddress(prefix, head.ToString(), QueryString.Empty).AbsoluteUri;
        var end = head.IsEmpty && start.EndsWith('/') ? start.Length - 1 : start.Length;
        return new Uri(string.Concat(start.AsSpan(0, end), kept, transform.Query.QueryString.ToUriComponent()));
    }

    /// <summary>
    /// A prefix may have been taken away, or put in front, which becomes the head: the segments behind it are those
    /// that came.
    /// </summary>
    private static ReadOnlySpan<char> Tail(ReadOnlySpan<char> raw, ReadOnlySpan<char> came, ref ReadOnlySpan<char> head)
    {
        if (HasDotSegment(raw) || raw.Count('/') != came.Count('/'))
        {
            return [];
        }

        var before = raw;
        while (LastSegment(head) is { IsEmpty: false } segment && segment.SequenceEqual(LastSegment(came)))
        {
            head = head[..^segment.Length];
            came = came[..^segment.Length];
            before = before[..^LastSegment(before).Length];
        }

        return raw[before.Length..];
    }

    /// <summary>
    /// Of a target in absolute form the listener decodes <c>%2F</c> as well: which segment was which cannot be told any
    /// more.
    /// </summary>
    private static ReadOnlySpan<char> Whole(
        ReadOnlySpan<char> raw, ReadOnlySpan<char> came, ref ReadOnlySpan<char> head)
    {
        if (!head.SequenceEqual(came) || !came.SequenceEqual(Uri.UnescapeDataString(raw)))
        {
            return [];
        }

        head = [];
        return raw;
    }

    /// <summary>The last segment with the slash before it; empty where there is none.</summary>
    private static ReadOnlySpan<char> LastSegment(ReadOnlySpan<char> path) =>
        path.LastIndexOf('/') is var at and >= 0 ? path[at..] : [];

    private static bool HasDotSegment(ReadOnlySpan<char> raw)
    {
        foreach (var range in raw.Split('/'))
        {
            if (Uri.UnescapeDataString(raw[range]) is "." or "..")
            {
                return true;
            }
        }

        return false;
    }
}
