using Microsoft.Extensions.Configuration.EnvironmentVariables;
using Microsoft.Extensions.Configuration.Memory;

namespace FenceGateway.Gateway.Configuration;

/// <summary>
/// What lies under and over the file, later ones winning: default address, file, environment, command line.
/// </summary>
internal sealed class ConfigurationLayers(string[] settings, IReadOnlyList<IConfigurationSource> environment)
{
    public static ConfigurationLayers Of(string[] settings) => new(settings, [
        new EnvironmentVariablesConfigurationSource { Prefix = "DOTNET_" },
        new EnvironmentVariablesConfigurationSource { Prefix = "ASPNETCORE_" },
        new EnvironmentVariablesConfigurationSource(),
    ]);

    /// <summary>The configuration with <paramref name="values"/> as the file's content.</summary>
    public IConfigurationRoot Build(IDictionary<string, string?> values)
    {
        var builder = new ConfigurationBuilder();
        AddTo(builder, new MemoryConfigurationSource { InitialData = values }, values);
        return builder.Build();
    }

    /// <summary>
    /// Adds all layers, with <paramref name="file"/> in its place, which starts with <paramref name="values"/>.
    /// </summary>
    public void AddTo(IConfigurationBuilder builder, IConfigurationSource file, IDictionary<string, string?> values)
    {
        var given = new ConfigurationBuilder().AddInMemoryCollection(values);
        AddUpper(given);
        if (!DataUrls.Of(given.Build()).Any())
        {
            builder.AddInMemoryCollection([new("Urls", DataUrls.Default)]);
        }

        builder.Add(file);
        AddUpper(builder);
    }

    private void AddUpper(IConfigurationBuilder builder)
    {
        foreach (var source in environment)
        {
            builder.Add(source);
        }

        if (settings.Length > 0)
        {
            builder.AddCommandLine(settings);
        }
    }
}
