using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Cli;

/// <summary>
/// Takes the settings of .NET configuration (<c>--urls X</c>, <c>--Section:Key=value</c>) out of a command line. .NET
/// would take any <c>--word</c> for a setting; here only what can be one is.
/// </summary>
internal static class SettingArguments
{
    public static readonly string[] Names = ["urls", "environment", "http_ports", "https_ports"];

    public static readonly string[] Sections = ["FenceGateway", "ReverseProxy", "Kestrel", "Serilog"];

    /// <summary>Splits into what is left and the settings.</summary>
    /// <exception cref="CliException">A setting has no value or no known section.</exception>
    public static (string[] Others, string[] Settings) Split(IReadOnlyList<string> arguments)
    {
        var (rest, settings) = (new List<string>(), new List<string>());
        for (var i = 0; i < arguments.Count; i++)
        {
            var argument = arguments[i];
            var name = argument.Split('=', 2)[0];
            if (!IsSetting(name))
            {
                rest.Add(argument);
                continue;
            }

            settings.Add(argument);
            if (name.Length == argument.Length)
            {
                settings.Add(i + 1 < arguments.Count && !arguments[i + 1].StartsWith("--", StringComparison.Ordinal)
                    ? arguments[++i]
                    : throw new CliException($"'{argument}' needs a value: {argument} VALUE or {argument}=VALUE."));
            }
        }

        return ([.. rest], [.. settings]);
    }

    private static bool IsSetting(string option)
    {
        if (!option.StartsWith("--", StringComparison.Ordinal))
        {
            return false;
        }

        var colon = option.IndexOf(':', StringComparison.Ordinal);
        var name = colon < 0 ? option[2..] : option[2..colon];
        if (colon < 0)
        {
            return Names.Contains(name, StringComparer.OrdinalIgnoreCase);
        }

        return Sections.Contains(name, StringComparer.OrdinalIgnoreCase)
            ? true
            : throw new CliException(
                $"'{option}' sets nothing: there is no section '{name}'; "
                    + $"{NearestName.Hint(name, Sections, "sections")}");
    }
}
