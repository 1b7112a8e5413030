using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Cli;

/// <summary><c>validate</c>: the same checks as at start, and nothing else.</summary>
internal static class ValidateVerb
{
    public static async Task<int> RunAsync(
        GatewayArguments arguments, TimeProvider time, TextWriter output, CancellationToken cancellationToken)
    {
        using var configuration = await LastGoodConfiguration.LoadAsync(arguments, time, cancellationToken);
        var current = configuration.Current;
        foreach (var warning in ConfigurationWarnings.Of(current))
        {
            await output.WriteLineAsync($"warning: {warning}");
        }

        await output.WriteLineAsync(
            $"{arguments.ConfigFile ?? configuration.File} is valid: {Count(current.Routes.Count, "route", "routes")}, "
            + $"{Count(current.Clusters.Count, "cluster", "clusters")}, "
            + Count(current.FencingPolicies.Count, "fencing policy", "fencing policies"));
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

    private static string Count(int count, string one, string many) => $"{count} {(count == 1 ? one : many)}";
}
