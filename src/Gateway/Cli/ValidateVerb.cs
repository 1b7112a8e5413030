using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Settings;

namespace FenceGateway.Gateway.Cli;

/// <summary><c>validate</c>: the same checks as at start, and what the configuration means.</summary>
internal static class ValidateVerb
{
    public static async Task<int> RunAsync(
        GatewayArguments arguments, TimeProvider time, TextWriter output, CancellationToken cancellationToken)
    {
        using var configuration = await LastGoodConfiguration.LoadAsync(arguments, time, cancellationToken);
        var isTerminal = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected
            && Environment.GetEnvironmentVariable("NO_COLOR") is not { Length: > 0 };
        await new ValidateReport(output, isTerminal).WriteAsync(
            arguments.ConfigFile ?? configuration.File, configuration.Current);
        return ExitCode.Done;
    }

    public static async Task WriteProblemsAsync(IReadOnlyList<ConfigProblem> problems, TextWriter error)
    {
        foreach (var problem in problems)
        {
            await error.WriteLineAsync(problem.ToString());
        }

        await error.WriteLineAsync($"{Count(problems.Count, "problem", "problems")} in the configuration.");
    }

    public static string Count(int count, string one, string many) => $"{count} {(count == 1 ? one : many)}";
}
