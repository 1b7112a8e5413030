using System.Reflection;
using System.Runtime.InteropServices;

namespace FenceGateway.Gateway.Cli;

/// <summary><c>version</c>.</summary>
internal static class VersionVerb
{
    /// <summary>The gateway's version, without build metadata.</summary>
    public static string Version { get; } = typeof(VersionVerb).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    public static int Print(TextWriter output)
    {
        output.WriteLine($"fencegateway {Version}");
        output.WriteLine($"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription} "
            + $"({RuntimeInformation.RuntimeIdentifier})");
        return ExitCode.Done;
    }
}
