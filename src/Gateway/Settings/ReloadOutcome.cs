using FenceGateway.Gateway.Configuration;
namespace FenceGateway.Gateway.Settings;

/// <summary>How the last attempt to read the configuration file ended.</summary>
/// <param name="At">When.</param>
/// <param name="Problems">Why the file was refused; empty if it is in force.</param>
/// <param name="NeedsRestart">Settings of it that differ from those the process started with and are not in
/// force.</param>
internal sealed record ReloadOutcome(
    DateTimeOffset At, IReadOnlyList<ConfigProblem> Problems, IReadOnlyList<string> NeedsRestart)
{
    public bool Succeeded => Problems.Count == 0;
}
