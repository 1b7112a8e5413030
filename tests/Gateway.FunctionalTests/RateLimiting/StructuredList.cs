using System.Globalization;
using System.Text;

namespace FenceGateway.Gateway.FunctionalTests.RateLimiting;

/// <summary>An item of a list with its parameters: strings are <c>string</c>, integers <c>long</c>.</summary>
internal sealed record StructuredItem(object Value, IReadOnlyDictionary<string, object> Parameters);

/// <summary>
/// Reads a list of RFC 8941 as strictly as section 4.2 demands, as far as rate limits use it: items that are strings,
/// parameters that are integers or strings.
/// </summary>
internal ref struct StructuredList(string text)
{
    private ReadOnlySpan<char> _rest = text;

    public static IReadOnlyList<StructuredItem> Parse(string text)
    {
        text.ShouldAllBe(c => c >= ' ' && c <= '~', "fields are ASCII");
        var list = new StructuredList(text.Trim(' '));
        var items = new List<StructuredItem>();
        while (true)
        {
            items.Add(list.Item());
            list.Skip(" \t");
            if (list._rest.IsEmpty)
            {
                return items;
            }

            list.Take(',');
            list.Skip(" \t");
        }
    }

    private StructuredItem Item()
    {
        _rest.StartsWith("\"").ShouldBeTrue("the item is a string");
        var value = BareItem();
        var parameters = new Dictionary<string, object>(StringComparer.Ordinal);
        while (_rest.StartsWith(";"))
        {
            Take(';');
            Skip(" ");
            var key = Key();
            Take('=');
            parameters.Add(key, BareItem());
        }

        return new(value, parameters);
    }

    private object BareItem()
    {
        if (_rest.StartsWith("\""))
        {
            return String();
        }

        var length = 0;
        while (length < _rest.Length && char.IsAsciiDigit(_rest[length]))
        {
            length++;
        }

        length.ShouldBeInRange(1, 15);
        var number = long.Parse(_rest[..length], NumberStyles.None, CultureInfo.InvariantCulture);
        _rest = _rest[length..];
        return number;
    }

    private string String()
    {
        Take('"');
        var value = new StringBuilder();
        while (!_rest.StartsWith("\""))
        {
            if (_rest[0] == '\\')
            {
                _rest = _rest[1..];
                (_rest[0] is '"' or '\\').ShouldBeTrue("only quotes and backslashes are escaped");
            }

            value.Append(_rest[0]);
            _rest = _rest[1..];
        }

        Take('"');
        return value.ToString();
    }

    private string Key()
    {
        var length = 0;
        while (length < _rest.Length
            && (char.IsAsciiLetterLower(_rest[length]) || char.IsAsciiDigit(_rest[length]) || _rest[length] is '_' or '-'))
        {
            length++;
        }

        length.ShouldBePositive();
        var key = _rest[..length].ToString();
        _rest = _rest[length..];
        return key;
    }

    private void Take(char c)
    {
        _rest.IsEmpty.ShouldBeFalse();
        _rest[0].ShouldBe(c);
        _rest = _rest[1..];
    }

    private void Skip(string characters) => _rest = _rest.TrimStart(characters);
}
