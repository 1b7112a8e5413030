using Serilog;
using Serilog.Events;

namespace FenceGateway.Gateway.Telemetry;

/// <summary>Serilog in the place of the framework's own logging: JSON lines on standard output, through
/// <see cref="LogOutput"/>.</summary>
internal static class GatewayLogging
{
    /// <summary>
    /// Levels come from the section <c>Serilog:MinimumLevel</c>; the framework is quiet unless it is told otherwise.
    /// The logger belongs to the container, which closes it, and with it the output, after everything that logs, and
    /// not to the process: a process may hold several gateways.
    /// </summary>
    public static void AddGatewayLogging(
        this IServiceCollection services, IConfiguration configuration, TimeProvider time)
    {
        var output = new LogOutput(Console.OpenStandardOutput(), time);
        services.AddSingleton(output);
        services.AddSerilog(
            logger => logger
                .MinimumLevel.Information()
                .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
                .MinimumLevel.Override("Microsoft.Hosting.Lifetime", LogEventLevel.Information)
                .MinimumLevel.Override("Yarp", LogEventLevel.Warning)
                .ReadFrom.Configuration(configuration)
                .WriteTo.Sink(output),
            preserveStaticLogger: true);
    }
}
