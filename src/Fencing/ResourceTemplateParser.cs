using System.Diagnostics.CodeAnalysis;

namespace FenceGateway.Fencing;

/// <summary>Turns a template's text into parts, or says what is wrong with it.</summary>
internal static class ResourceTemplateParser
{
    public static bool TryParse(
        string text,
        bool caseInsensitive,
        [NotNullWhen(true)] out ResourceTemplate? template,
        [NotNullWhen(false)] out string? error)
    {
        template = null;
        var parts = new List<ResourceTemplatePart>();
        error = Split(text, parts) ?? Check(text, parts);
        if (error is not null)
        {
            return false;
        }

        template = new ResourceTemplate(text, [.. parts], caseInsensitive);
        return true;
    }

    private static string? Split(string text, List<ResourceTemplatePart> parts)
    {
        for (var at = 0; at < text.Length;)
        {
            if (text[at] == '}')
            {
                return $"has a '}}' without a '{{' at position {at}";
            }

            var open = text[at] == '{';
            var end = open ? text.IndexOf('}', at) : text.AsSpan(at).IndexOfAny('{', '}') is var i and >= 0 ? at
                + i : text.Length;
            if (open && end < 0)
            {
                return $"has a '{{' without a '}}' at position {at}";
            }

            if (!open)
            {
                parts.Add(new ResourceTemplatePart(ResourceValueKind.Literal, text[at..end]));
                at = end;
                continue;
            }

            if (Placeholder(text[(at + 1)..end]) is not { } part)
            {
                return $"has an unknown placeholder '{text[at..(end + 1)]}'; use {{name}} (a value of the route's "
                    + "path), {query:name}, {header:Name} or {host}";
            }

            parts.Add(part);
            at = end + 1;
        }

        return null;
    }

    private static ResourceTemplatePart? Placeholder(string inner)
    {
        var colon = inner.IndexOf(':', StringComparison.Ordinal);
        var name = inner[(colon + 1)..];
        if (name.Length == 0 || !name.All(IsNameCharacter))
        {
            return null;
        }

        return (colon < 0 ? "" : inner[..colon]) switch
        {
            "" when colon == 0 => null,
            "" when string.Equals(inner, "host", StringComparison.Ordinal) => new(ResourceValueKind.Host, ""),
            "" => new(ResourceValueKind.Route, name),
            "query" => new(ResourceValueKind.Query, name),
            "header" => new(ResourceValueKind.Header, name),
            _ => null,
        };
    }

    private static bool IsNameCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.';

    private static string? Check(string text, List<ResourceTemplatePart> parts)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            return "is empty; name the resource, for example \"orders/{id}\"";
        }

        if (text.Any(char.IsControl))
        {
            return "has a control character";
        }

        for (var i = 1; i < parts.Count; i++)
        {
            var apart = parts[i].Kind == ResourceValueKind.Literal
                ? i + 1 == parts.Count || parts[i].Text.Contains('/', StringComparison.Ordinal)
                : parts[i - 1].Kind == ResourceValueKind.Literal;
            if (!apart)
            {
                return $"does not keep {parts[i - 1]} and what follows apart with a '/', so that two resources could "
                    + "share a key";
            }
        }

        return null;
    }
}
