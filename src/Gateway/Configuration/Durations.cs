using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;

namespace FenceGateway.Gateway.Configuration;

/// <summary>
/// The only form of a duration: <c>hh:mm:ss</c>, with days before and a fraction after it where needed. Without days,
/// hours may go beyond 23, up to 9999.
/// </summary>
/// <remarks>.NET's own parser takes "5" for five days, and "24:00:00" for twenty-four of them.</remarks>
internal static partial class Durations
{
    public const string Pattern =
        @"^([0-9]{1,7}\.([01][0-9]|2[0-3])|[0-9]{2}|[1-9][0-9]{2,3}):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,7})?$";

    public static bool TryParse(string text, [NotNullWhen(true)] out TimeSpan? duration)
    {
        duration = null;
        if (!Form().IsMatch(text))
        {
            return false;
        }

        // The hours are added apart, since .NET knows none beyond 23.
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var days = text.IndexOf('.', 0, colon);
        var rest = TimeSpan.Parse(string.Concat("00", text.AsSpan(colon)), CultureInfo.InvariantCulture);
        var whole = days < 0 ? 0 : int.Parse(text.AsSpan(0, days), NumberStyles.None, CultureInfo.InvariantCulture);
        var hours = int.Parse(text.AsSpan((days + 1)..colon), NumberStyles.None, CultureInfo.InvariantCulture);
        duration = new TimeSpan(whole, hours, minutes: 0, seconds: 0) + rest;
        return true;
    }

    public static string Write(TimeSpan duration) =>
        duration.Milliseconds == 0 && duration.Microseconds == 0 && duration.Nanoseconds == 0
        ? duration.ToString("c", CultureInfo.InvariantCulture)
        : duration.ToString("c", CultureInfo.InvariantCulture).TrimEnd('0');

    /// <summary>What was measured, in whole milliseconds.</summary>
    public static string WriteWhole(TimeSpan duration) =>
        Write(TimeSpan.FromMilliseconds(Math.Floor(duration.TotalMilliseconds)));

    [GeneratedRegex(
        Pattern, RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Form();
}
