using System.ComponentModel.DataAnnotations;
using System.Globalization;

namespace FenceGateway.Gateway.Configuration;

/// <summary>How values of options are named to people.</summary>
internal static class OptionsText
{
    public static string Kind(Type type) =>
        type == typeof(bool) ? "true or false"
        : type == typeof(int) ? "a whole number"
        : type == typeof(double) ? "a number (such as 0.5)"
        : type == typeof(TimeSpan) ? "a duration hh:mm:ss[.fff] (such as 00:00:05)"
        : type.IsEnum ? $"one of {string.Join(", ", Enum.GetNames(type))}"
        : "a text";

    /// <summary>By name only: numbers and lists of names, which .NET's parser takes, are refused.</summary>
    public static object? EnumValue(Type type, string text) =>
        Array.Find(Enum.GetNames(type), n => n.Equals(text, StringComparison.OrdinalIgnoreCase)) is { } name
            ? Enum.Parse(type, name)
            : null;

    public static bool InRange(RangeAttribute range, object value) =>
        ((IComparable)value).CompareTo(Bound(range.Minimum, value)) >= 0
        && ((IComparable)value).CompareTo(Bound(range.Maximum, value)) <= 0;

    private static object Bound(object bound, object value) => value is TimeSpan
        ? TimeSpan.Parse((string)bound, CultureInfo.InvariantCulture)
        : bound;
}
