using FenceGateway.Fencing;
using Microsoft.AspNetCore.WebUtilities;

namespace FenceGateway.Gateway.Fencing;

/// <summary>The values that a request gives to a resource template.</summary>
/// <param name="request">The request.</param>
/// <param name="routeValues">The values of its path, or of the path of a second target.</param>
internal readonly ref struct RequestResourceValues(HttpRequest request, RouteValueDictionary routeValues)
    : IResourceValues
{
    public ResourceValueStatus Find(ResourceTemplatePart part, out ReadOnlySpan<char> value)
    {
        switch (part.Kind)
        {
            case ResourceValueKind.Route:
                // A trailing slash names the same resource to most services: one key for both.
                value = (routeValues[part.Text] as string).AsSpan().TrimEnd('/');
                return value.IsEmpty ? ResourceValueStatus.Missing : ResourceValueStatus.Found;
            case ResourceValueKind.Header:
                return FindHeader(part.Text, out value);
            case ResourceValueKind.Query:
                return FindQuery(part.Text, out value);
            default:
                value = request.Host.Host.TrimEnd('.').ToLowerInvariant();
                return value.IsEmpty ? ResourceValueStatus.Missing : ResourceValueStatus.Found;
        }
    }

    private ResourceValueStatus FindHeader(string name, out ReadOnlySpan<char> value)
    {
        var values = request.Headers[name];
        value = values.Count == 1 ? values[0].AsSpan().Trim() : default;
        if (values.Count == 0 || (values.Count == 1 && value.IsEmpty))
        {
            return ResourceValueStatus.Missing;
        }

        // A comma joins two header lines into one: a list has no single value.
        var single = values.Count == 1 && !value.Contains(',')
            && !TokenHeaders.IsNamedByConnection(request.Headers, name);
        return single && HeaderLookalikes.Find(request.Headers, [name]) is null
            ? ResourceValueStatus.Found
            : ResourceValueStatus.Ambiguous;
    }

    private ResourceValueStatus FindQuery(string name, out ReadOnlySpan<char> value)
    {
        value = default;
        var status = ResourceValueStatus.Missing;
        foreach (var pair in new QueryStringEnumerable(request.QueryString.Value))
        {
            if (!Names(pair.DecodeName().Span, name))
            {
                continue;
            }

            value = pair.DecodeValue().Span;
            status = status == ResourceValueStatus.Missing && IsPlain(pair.EncodedValue.Span, value)
                ? ResourceValueStatus.Found
                : ResourceValueStatus.Ambiguous;
        }

        // Some parsers part parameters at ';' as well.
        return status == ResourceValueStatus.Found && request.QueryString.Value!.Contains(';', StringComparison.Ordinal)
            ? ResourceValueStatus.Ambiguous
            : status;
    }

    /// <summary>
    /// Whether some parser takes the parameter for <paramref name="name"/>: names differ in case to some only, and PHP
    /// takes leading blanks away, makes '_' of '.' and blank, and ends the name at '[' and NUL.
    /// </summary>
    private static bool Names(ReadOnlySpan<char> candidate, string name)
    {
        candidate = candidate.TrimStart();
        if (candidate.Length < name.Length
            || (candidate.Length > name.Length && candidate[name.Length] is not ('[' or '\0')))
        {
            return false;
        }

        for (var i = 0; i < name.Length; i++)
        {
            if (Fold(candidate[i]) != Fold(name[i]))
            {
                return false;
            }
        }

        return true;
    }

    private static char Fold(char c) => c is '.' or ' ' ? '_' : char.ToLowerInvariant(c);

    /// <summary>
    /// A '+' is a blank to some parsers; a '%' that is left is a broken escape, bytes that are not UTF-8, or one that
    /// another parser decodes once more; a control character ends the value for some.
    /// </summary>
    private static bool IsPlain(ReadOnlySpan<char> encoded, ReadOnlySpan<char> decoded)
    {
        foreach (var c in decoded)
        {
            if (c is '%' or '\uFFFD' || char.IsControl(c))
            {
                return false;
            }
        }

        return !encoded.Contains('+');
    }
}
