namespace FenceGateway.Gateway.Configuration;

/// <summary>One thing to mend in the configuration.</summary>
/// <param name="Path">A JSON path (<c>$.FenceGateway.Admin.Url</c>), or a file with line and column.</param>
/// <param name="Message">What is wrong and what to do.</param>
internal sealed record ConfigProblem(string Path, string Message)
{
    public override string ToString() => $"{Path}: {Message}";
}

/// <summary>The configuration cannot be used. Carries every problem that was found.</summary>
internal sealed class ConfigurationRejectedException(IReadOnlyList<ConfigProblem> problems)
    : Exception($"The configuration has {problems.Count} problem(s):{string.Concat(problems.Select(p => $"\n  {p}"))}")
{
    public IReadOnlyList<ConfigProblem> Problems { get; } = problems;
}

/// <summary>A problem as YARP's validators hand it on: they collect exceptions, which nobody throws.</summary>
internal sealed class ConfigProblemException(ConfigProblem problem) : Exception(problem.ToString())
{
    public ConfigProblem Problem { get; } = problem;
}
