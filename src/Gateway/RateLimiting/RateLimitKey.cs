using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.RateLimiting;

/// <summary>
/// Which parts of a request make up the key of its partition. No parts: one partition for all requests.
/// </summary>
internal sealed class RateLimitKey(params RateLimitKeyPart[] parts) : IEquatable<RateLimitKey>
{
    public const int MaxParts = 6;

    /// <summary>The longest key, in characters.</summary>
    public const int MaxLength = MaxParts * (MaxValue + 1);

    /// <summary>
    /// A longer value is replaced by its hash: a client chooses values, and each may be held for long.
    /// </summary>
    private const int MaxValue = 64;

    // What stands in place of a value's length, where there is no value as it is.
    private const char Hashed = '\uFFFF';
    private const char Ambiguous = '\uFFFE';

    public IReadOnlyList<RateLimitKeyPart> Parts => parts;

    /// <summary>
    /// Writes the key to <paramref name="key"/>, at least <see cref="MaxLength"/> characters, and returns its length. A
    /// value that the request lacks is empty. Not a text for people.
    /// </summary>
    public int Write(HttpContext context, GatewayRequest request, Span<char> key)
    {
        var length = 0;
        foreach (var part in parts)
        {
            switch (part.Kind)
            {
                case RateLimitKeyKind.ClientAddress:
                    AppendAddress(context.Connection.RemoteIpAddress, key, ref length);
                    break;
                case RateLimitKeyKind.Tenant:
                    Append(request.TenantScope, key, ref length);
                    break;
                case RateLimitKeyKind.Resource:
                    AppendResource(context, request, key, ref length);
                    break;
                case RateLimitKeyKind.Header:
                    AppendHeader(context.Request.Headers, part.Name, key, ref length);
                    break;
                default:
                    AppendTemplate(context.Request, part.Template, key, ref length);
                    break;
            }
        }

        return length;
    }

    public bool Equals(RateLimitKey? other) => other is not null && parts.AsSpan().SequenceEqual(other.Parts.ToArray());

    public override bool Equals(object? obj) => Equals(obj as RateLimitKey);

    public override int GetHashCode() => string.GetHashCode(ToString(), StringComparison.Ordinal);

    public override string ToString() => string.Join(", ", parts.AsEnumerable());

    /// <summary>The length stands before the value, so that no two lists of values have one key.</summary>
    private static void Append(ReadOnlySpan<char> value, Span<char> key, ref int length)
    {
        if (value.Length <= MaxValue)
        {
            key[length++] = (char)value.Length;
            value.CopyTo(key[length..]);
            length += value.Length;
            return;
        }

        key[length++] = Hashed;
        var hash = MemoryMarshal.AsBytes(key[length..])[..SHA256.HashSizeInBytes];
        SHA256.HashData(MemoryMarshal.AsBytes(value), hash);
        length += hash.Length / sizeof(char);
    }

    private static void AppendAddress(IPAddress? address, Span<char> key, ref int length)
    {
        Span<byte> bytes = stackalloc byte[16];
        if (address is null || !address.TryWriteBytes(bytes, out var written))
        {
            Append([], key, ref length);
            return;
        }

        bytes = address.IsIPv4MappedToIPv6 ? bytes[12..]
            : address.AddressFamily == AddressFamily.InterNetwork ? bytes[..written]
            : bytes[..8];
        Append(MemoryMarshal.Cast<byte, char>(bytes), key, ref length);
    }

    private static void AppendResource(HttpContext context, GatewayRequest request, Span<char> key, ref int length)
    {
        var resource = request.Fence is { } fence
            ? fence.Resource.Value
            : RequestResource.Render(context, stackalloc char[ResourceKey.MaxBytes]);
        Append(resource, key, ref length);
    }

    /// <summary>Several lines are one list, as a proxy on the way could have made of them.</summary>
    private static void AppendHeader(IHeaderDictionary headers, string name, Span<char> key, ref int length)
    {
        var values = headers[name];
        Append(
            values.Count <= 1 ? values.ToString().AsSpan().Trim() : string.Join(", ", values.ToArray()), key,
            ref length);
    }

    private static void AppendTemplate(HttpRequest request, ResourceTemplatePart part, Span<char> key, ref int length)
    {
        var values = new RequestResourceValues(request, request.RouteValues);
        if (values.Find(part, out var value) == ResourceValueStatus.Ambiguous)
        {
            key[length++] = Ambiguous;
            return;
        }

        Append(value, key, ref length);
    }
}
