using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Requests;
using FenceGateway.Idempotency;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Idempotency;

/// <summary>
/// Takes the whole body of a request in, so that it can be compared with an earlier one, and leaves it to be read from
/// the beginning, as often as an attempt needs it.
/// </summary>
internal static class KeyedBody
{
    private const int FirstPiece = 16 * 1024;

    /// <summary>Reads the body; null when it is longer than <paramref name="limit"/>.</summary>
    /// <exception cref="BadHttpRequestException">The client's body ended too early, came too slowly, or is
    /// malformed.</exception>
    public static async Task<ReadOnlyMemory<byte>?> ReadAsync(HttpContext context, int limit)
    {
        var request = context.Request;
        if (request.ContentLength > limit)
        {
            return null;
        }

        if (request.ContentLength is 0 || !RequestSemantics.CanHaveBody(context))
        {
            return ReadOnlyMemory<byte>.Empty;
        }

        // One byte more than may come: a body of unknown length shows that it is too long. What a client only promises
        // takes no memory.
        var most = request.ContentLength is { } known ? (int)known : limit + 1;
        var bytes = new byte[Math.Min(FirstPiece, most)];
        var length = 0;
        while (await request.Body.ReadAsync(bytes.AsMemory(length), context.RequestAborted) is > 0 and var count)
        {
            length += count;
            if (length > limit)
            {
                return null;
            }

            if (length == bytes.Length && length < most)
            {
                Array.Resize(ref bytes, Math.Min(bytes.Length * 2, most));
            }
        }

        request.Body = new MemoryStream(bytes, 0, length, writable: false);
        return bytes.AsMemory(0, length);
    }

    /// <summary>The longest body that is taken: the policy's limit, or the route's own if that is less.</summary>
    public static int Limit(RouteModel route, int policy) =>
        route.Config.MaxRequestBodySize is >= 0 and var own && own < policy ? (int)own : policy;

    /// <summary>
    /// What makes a repeat the same request: method, target with its host, the resource where a header names it, and
    /// the body with how it is to be read. Not the fencing token: the next holder repeats what the last one has begun.
    /// Not credentials: they are renewed between repeats.
    /// </summary>
    public static RequestFingerprint Fingerprint(HttpContext context, ReadOnlySpan<byte> body)
    {
        var request = context.Request;
        return RequestFingerprint.Of(
            [
                request.Method,
                request.Host.Value?.ToLowerInvariant(),
                context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget,
                request.Headers[HeaderNames.ContentType],
                request.Headers[HeaderNames.ContentEncoding],
                .. NamedByHeader(context),
            ],
            body);
    }

    /// <summary>
    /// The resource, if the route's policy takes a header for it. All else that may name it is in the target already.
    /// </summary>
    private static string[] NamedByHeader(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<FencingPolicy>()?.Resource.Uses(ResourceValueKind.Header) == true
            ? [RequestResource.Render(context, stackalloc char[ResourceKey.MaxBytes]).ToString()]
            : [];
}
