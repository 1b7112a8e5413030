namespace FenceGateway.Gateway.Cli;

/// <summary>The command line cannot be understood; the message is for the person who typed it.</summary>
internal sealed class CliException(string message) : Exception(message);

/// <summary>What the process tells its caller.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int BadUsage = 2;
}
