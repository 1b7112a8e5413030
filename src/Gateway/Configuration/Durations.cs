using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;

namespace FenceGateway.Gateway.Configuration;

/// <summary>The only form of a duration: <c>hh:mm:ss</c>, with days before and a fraction after it where needed.</summary>
/// <remarks>.NET's own parser also takes "5", as five days.</remarks>
internal static partial class Durations
{
    public const string Pattern = @"^([0-9]{1,7}\.)?([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,7})?$";

    public static bool TryParse(string text, [NotNullWhen(true)] out TimeSpan? duration)
    {
        duration = Form().IsMatch(text) && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var value) ? value : null;
        return duration is not null;
    }

    public static string Write(TimeSpan duration) => duration.Milliseconds == 0 && duration.Microseconds == 0 && duration.Nanoseconds == 0
        ? duration.ToString("c", CultureInfo.InvariantCulture)
        : duration.ToString("c", CultureInfo.InvariantCulture).TrimEnd('0');

    [GeneratedRegex(Pattern, RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Form();
}
