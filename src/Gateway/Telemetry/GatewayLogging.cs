using Serilog;
using Serilog.Events;

namespace FenceGateway.Gateway.Telemetry;

/// <summary>Serilog in the place of the framework's own logging: JSON lines on standard output, written by a background thread.</summary>
internal static class GatewayLogging
{
    /// <summary>How many events wait for the console before further ones are dropped, so that a slow console stalls nobody.</summary>
    private const int BufferedEvents = 20_000;

    /// <summary>
    /// Levels come from the section <c>Serilog:MinimumLevel</c>; the framework is quiet unless it is told otherwise. The logger belongs to
    /// the container, which closes it after everything that logs, and not to the process: a process may hold several gateways.
    /// </summary>
    public static void AddGatewayLogging(this IServiceCollection services, IConfiguration configuration) =>
        services.AddSerilog(
            logger => logger
                .MinimumLevel.Information()
                .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
                .MinimumLevel.Override("Microsoft.Hosting.Lifetime", LogEventLevel.Information)
                .MinimumLevel.Override("Yarp", LogEventLevel.Warning)
                .ReadFrom.Configuration(configuration)
                .WriteTo.Async(sink => sink.Console(new JsonLineFormatter()), BufferedEvents, blockWhenFull: false),
            preserveStaticLogger: true);
}
