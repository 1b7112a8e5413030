using System.Diagnostics.CodeAnalysis;

namespace FenceGateway.Fencing;

/// <summary>Why a template gave no key for a request.</summary>
public enum RenderStatus
{
    /// <summary>It gave one.</summary>
    Rendered,

    /// <summary>The request lacks a value that the template names.</summary>
    Missing,

    /// <summary>
    /// The request has such a value more than once, or in a form that two parsers could read differently.
    /// </summary>
    Ambiguous,

    /// <summary>The key would be longer than <see cref="ResourceKey.MaxBytes"/>.</summary>
    TooLong,
}

/// <summary>
/// A resource template such as <c>orders/{id}</c>, compiled once. Two requests get one key only if all their values are
/// equal: values are kept apart by a slash in the template, and a slash inside a query or header value is escaped.
/// </summary>
/// <remarks>Placeholders: <c>{name}</c> (route value), <c>{query:name}</c>, <c>{header:Name}</c>,
/// <c>{host}</c>.</remarks>
public sealed class ResourceTemplate
{
    private const string HexDigits = "0123456789ABCDEF";
    private readonly ResourceTemplatePart[] _parts;
    private readonly bool _caseInsensitive;

    internal ResourceTemplate(string text, ResourceTemplatePart[] parts, bool caseInsensitive)
    {
        Text = text;
        _parts = parts;
        _caseInsensitive = caseInsensitive;
    }

    /// <summary>The template as it was written.</summary>
    public string Text { get; }

    /// <summary>The parts, in order.</summary>
    public IReadOnlyList<ResourceTemplatePart> Parts => _parts;

    /// <summary>Whether the template takes a value of <paramref name="kind"/>.</summary>
    public bool Uses(ResourceValueKind kind) => Array.Exists(_parts, p => p.Kind == kind);

    /// <summary>Compiles <paramref name="text"/>; on failure <paramref name="error"/> says what to mend.</summary>
    /// <param name="text">The template.</param>
    /// <param name="caseInsensitive">Whether keys that differ in case only are one resource.</param>
    /// <param name="template">The compiled template.</param>
    /// <param name="error">What is wrong, as the end of a sentence about the template.</param>
    public static bool TryParse(
        string text,
        bool caseInsensitive,
        [NotNullWhen(true)] out ResourceTemplate? template,
        [NotNullWhen(false)] out string? error) =>
        ResourceTemplateParser.TryParse(text, caseInsensitive, out template, out error);

    /// <summary>Writes the key of a request to <paramref name="destination"/>. Does not allocate.</summary>
    /// <param name="values">The request's values.</param>
    /// <param name="destination">At least <see cref="ResourceKey.MaxBytes"/> characters.</param>
    /// <param name="length">How many characters were written.</param>
    /// <param name="culprit">The part that gave no value, unless rendered.</param>
    public RenderStatus Render<TValues>(
        scoped ref TValues values, scoped Span<char> destination, out int length, out ResourceTemplatePart culprit)
        where TValues : IResourceValues, allows ref struct
    {
        length = 0;
        culprit = default;
        foreach (var part in _parts)
        {
            ReadOnlySpan<char> value = part.Text;
            if (part.Kind != ResourceValueKind.Literal)
            {
                var status = values.Find(part, out value);
                if (status != ResourceValueStatus.Found || value.IsEmpty)
                {
                    culprit = part;
                    return status == ResourceValueStatus.Ambiguous ? RenderStatus.Ambiguous : RenderStatus.Missing;
                }
            }

            if (!TryAppend(part.Kind, value, destination, ref length))
            {
                culprit = part;
                return RenderStatus.TooLong;
            }
        }

        if (_caseInsensitive)
        {
            Fold(destination[..length]);
        }

        return ResourceKey.IsValid(destination[..length]) ? RenderStatus.Rendered : RenderStatus.TooLong;
    }

    private static bool TryAppend(
        ResourceValueKind kind, ReadOnlySpan<char> value, Span<char> destination, ref int length)
    {
        var escapeSlash = kind is ResourceValueKind.Query or ResourceValueKind.Header;
        foreach (var c in value)
        {
            var escape = char.IsControl(c) || (kind != ResourceValueKind.Literal && c == '%')
                || (escapeSlash && c == '/');
            if (length + (escape ? 3 : 1) > destination.Length)
            {
                return false;
            }

            if (escape)
            {
                // Control characters are below U+00A0, so two hexadecimal digits always do.
                destination[length++] = '%';
                destination[length++] = HexDigits[c >> 4];
                destination[length++] = HexDigits[c & 15];
            }
            else
            {
                destination[length++] = c;
            }
        }

        return true;
    }

    /// <summary>
    /// Upper, then lower: some letters have one case in common only that way (the Kelvin sign). .NET's invariant casing
    /// leaves the long s alone, Unicode's folding makes it an s.
    /// </summary>
    private static void Fold(Span<char> key)
    {
        foreach (ref var c in key)
        {
            c = c == '\u017F' ? 's' : char.ToLowerInvariant(char.ToUpperInvariant(c));
        }
    }
}
