namespace FenceGateway.Gateway.Configuration;

/// <summary>Where the configuration comes from: a file, the environment, the command line, the later winning.</summary>
/// <param name="File">The file's full path.</param>
/// <param name="CommandLine">Options in .NET's form: <c>--Section:Key=value</c>.</param>
internal sealed record GatewaySettings(string File, string[] CommandLine)
{
    private const string DefaultFile = "config/gateway.json";

    /// <summary>Finds the file: the one named, else the default from the working directory, else beside the executable.</summary>
    /// <exception cref="ConfigurationRejectedException">There is no such file.</exception>
    public static GatewaySettings Find(string? file, string[] commandLine)
    {
        string[] candidates = file is not null
            ? [Path.GetFullPath(file)]
            : [Path.GetFullPath(DefaultFile), Path.Combine(AppContext.BaseDirectory, DefaultFile)];
        var found = Array.Find(candidates, System.IO.File.Exists);
        return found is not null
            ? new GatewaySettings(found, commandLine)
            : throw new ConfigurationRejectedException(
            [
                new ConfigurationProblem("$", $"There is no configuration file {string.Join(" or ", candidates)}; name one with --config FILE."),
            ]);
    }

    /// <summary>Adds the sources that stand above the file.</summary>
    public void AddOverrides(IConfigurationBuilder builder) => builder
        .AddEnvironmentVariables("DOTNET_")
        .AddEnvironmentVariables("ASPNETCORE_")
        .AddEnvironmentVariables()
        .AddCommandLine(CommandLine);

    /// <summary>The whole configuration with <paramref name="fileContent"/> in the file's place.</summary>
    public IConfigurationRoot Combine(IDictionary<string, string?> fileContent)
    {
        var builder = new ConfigurationBuilder().AddInMemoryCollection(fileContent);
        AddOverrides(builder);
        return builder.Build();
    }
}
