using FenceGateway.Gateway.Configuration;
using Serilog;
using Serilog.Debugging;
using Serilog.Events;

namespace FenceGateway.Gateway.Telemetry;

/// <summary>
/// Builds a logger from the section <c>Serilog</c>. What Serilog cannot find, such as a sink with a wrong name, it
/// leaves out, and tells nobody but those who listen to its own log.
/// </summary>
internal static class LoggingProof
{
    private const string Section = "Serilog";
    private const string NotFound = "Unable to find a method";

    /// <summary>Of this flow alone: Serilog's own log is one for the process.</summary>
    private static readonly AsyncLocal<List<string>?> Heard = new();

    private static readonly Action<string> Listener = static line => Heard.Value?.Add(line);

    public static void Check(IConfiguration configuration, List<ConfigProblem> problems)
    {
        var section = configuration.GetSection(Section);
        if (!section.Exists())
        {
            return;
        }

        var before = problems.Count;
        CheckLevels(section, problems);
        if (problems.Count == before)
        {
            CheckWhole(configuration, ConfigPath.Of(section.Path), problems);
        }
    }

    private static void CheckLevels(IConfigurationSection section, List<ConfigProblem> problems)
    {
        var minimum = section.GetSection("MinimumLevel");
        var hasSwitches = section.GetSection("LevelSwitches").Exists();
        IConfigurationSection[] levels =
            [minimum, minimum.GetSection("Default"), .. minimum.GetSection("Override").GetChildren()];
        foreach (var level in levels)
        {
            if (level.Value is { Length: > 0 } value && !hasSwitches
                && !Enum.TryParse<LogEventLevel>(value, ignoreCase: true, out _))
            {
                var hint = NearestName.Hint(value, Enum.GetNames<LogEventLevel>(), "levels");
                problems.Add(new(ConfigPath.Of(level.Path), $"is '{value}', which is no level; {hint}"));
            }
        }
    }

    private static void CheckWhole(IConfiguration configuration, string path, List<ConfigProblem> problems)
    {
        SelfLog.Enable(Listener);
        Heard.Value = [];
        try
        {
            using var logger = new LoggerConfiguration().ReadFrom.Configuration(configuration).CreateLogger();
            foreach (var line in Heard.Value)
            {
                if (line.IndexOf(NotFound, StringComparison.Ordinal) is >= 0 and var at)
                {
                    problems.Add(new(path, $"is not understood by Serilog: {line[at..].ReplaceLineEndings(" ")}"));
                }
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Serilog calls what the section names, and that throws what it likes.
            problems.Add(new(path, $"is refused by Serilog: {e.GetBaseException().Message.ReplaceLineEndings(" ")}"));
        }
        finally
        {
            Heard.Value = null;
        }
    }
}
