using System.Buffers;
using System.Text;

namespace FenceGateway.Fencing;

/// <summary>
/// The name of a protected resource, such as <c>orders/42</c>: 1 to 1024 bytes of UTF-8, well formed, without control
/// characters.
/// </summary>
/// <remarks>Compared ordinally. The unset <c>default</c> names nothing.</remarks>
public readonly record struct ResourceKey
{
    /// <summary>The longest key, in bytes of UTF-8. Also a bound for its length in characters.</summary>
    public const int MaxBytes = 1024;

    private ResourceKey(string value) => Value = value;

    /// <summary>The key's text.</summary>
    public string Value { get; }

    /// <summary>Takes <paramref name="text"/> as a key if it is one.</summary>
    public static bool TryCreate(string? text, out ResourceKey key)
    {
        key = default;
        if (text is null || !IsValid(text))
        {
            return false;
        }

        key = new ResourceKey(text);
        return true;
    }

    /// <summary>Whether <paramref name="text"/> can be a key.</summary>
    public static bool IsValid(ReadOnlySpan<char> text)
    {
        if (text.Length is 0 or > MaxBytes)
        {
            return false;
        }

        return !text.ContainsAnyExceptInRange(' ', '~') || IsValidUnicode(text);
    }

    /// <summary>The key's text.</summary>
    public override string ToString() => Value ?? "";

    private static bool IsValidUnicode(ReadOnlySpan<char> text)
    {
        var bytes = 0;
        while (!text.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(text, out var rune, out var consumed) != OperationStatus.Done
                || Rune.IsControl(rune))
            {
                return false;
            }

            bytes += rune.Utf8SequenceLength;
            text = text[consumed..];
        }

        return bytes <= MaxBytes;
    }
}
