using System.Globalization;

namespace FenceGateway.Fencing;

/// <summary>
/// A fencing token: a number that a lock service hands out with every grant, greater for a later grant.
/// From 1 to <see cref="long.MaxValue"/> (2^63−1); the unset <c>default</c> is no token.
/// </summary>
/// <remarks>Term and use: M. Kleppmann, "How to do distributed locking" (2016).</remarks>
public readonly record struct FencingToken : IComparable<FencingToken>
{
    /// <summary>The most digits that a token can have.</summary>
    public const int MaxDigits = 19;

    /// <summary>Makes a token of <paramref name="value"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="value"/> is below 1.</exception>
    public FencingToken(long value)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
        Value = value;
    }

    /// <summary>The number, 1 … 2^63−1; 0 only in <c>default</c>.</summary>
    public long Value { get; }

    /// <summary>
    /// Reads a token in its only accepted form: 1 to 19 ASCII digits, no sign, no leading zero, no blank, at most
    /// 2^63−1. Does not allocate.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<char> text, out FencingToken token)
    {
        token = default;
        if (text.Length is 0 or > MaxDigits || text[0] == '0')
        {
            return false;
        }

        // 19 digits stay below 2^64, so only the last comparison is needed.
        ulong value = 0;
        foreach (var c in text)
        {
            var digit = (uint)(c - '0');
            if (digit > 9)
            {
                return false;
            }

            value = value * 10 + digit;
        }

        if (value > long.MaxValue)
        {
            return false;
        }

        token = new FencingToken((long)value);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(FencingToken other) => Value.CompareTo(other.Value);

    /// <summary>The token as it stands in the header: decimal digits.</summary>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Whether <paramref name="left"/> was granted earlier than <paramref name="right"/>.</summary>
    public static bool operator <(FencingToken left, FencingToken right) => left.Value < right.Value;

    /// <summary>Whether <paramref name="left"/> was granted later than <paramref name="right"/>.</summary>
    public static bool operator >(FencingToken left, FencingToken right) => left.Value > right.Value;

    /// <summary>Whether <paramref name="left"/> was not granted later than <paramref name="right"/>.</summary>
    public static bool operator <=(FencingToken left, FencingToken right) => left.Value <= right.Value;

    /// <summary>Whether <paramref name="left"/> was not granted earlier than <paramref name="right"/>.</summary>
    public static bool operator >=(FencingToken left, FencingToken right) => left.Value >= right.Value;
}
