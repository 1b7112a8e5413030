using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Settings;

namespace FenceGateway.Gateway.Cli;

/// <summary><c>config print</c> and <c>config schema</c>.</summary>
internal static class ConfigVerb
{
    public static async Task<int> PrintAsync(
        GatewayArguments arguments, TimeProvider time, TextWriter output, CancellationToken cancellationToken)
    {
        using var configuration = await LastGoodConfiguration.LoadAsync(arguments, time, cancellationToken);
        var builder = new ConfigurationBuilder();
        configuration.AddTo(builder);
        var json = EffectiveConfiguration.Render(builder.Build(), configuration.Current.Options);
        await output.WriteLineAsync(json.ToJsonString(ConfigurationSchema.Layout));
        return ExitCode.Done;
    }

    public static int PrintSchema(TextWriter output)
    {
        output.Write(ConfigurationSchema.Text());
        return ExitCode.Done;
    }
}
