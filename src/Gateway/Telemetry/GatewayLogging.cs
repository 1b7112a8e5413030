using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace FenceGateway.Gateway.Telemetry;

/// <summary>Serilog as the only logging provider: JSON lines on standard output, written by a background thread.</summary>
internal static class GatewayLogging
{
    /// <summary>How many events wait for the console before further ones are dropped, so that a slow console stalls nobody.</summary>
    private const int BufferedEvents = 20_000;

    /// <summary>Levels come from the section <c>Serilog:MinimumLevel</c>; the framework is quiet unless it is told otherwise.</summary>
    public static Logger Create(IConfiguration configuration) =>
        new LoggerConfiguration()
            .MinimumLevel.Information()
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
            .MinimumLevel.Override("Microsoft.Hosting.Lifetime", LogEventLevel.Information)
            .MinimumLevel.Override("Yarp", LogEventLevel.Warning)
            .ReadFrom.Configuration(configuration)
            .WriteTo.Async(sink => sink.Console(new JsonLineFormatter()), BufferedEvents, blockWhenFull: false)
            .CreateLogger();

    public static void UseGatewayLogging(this ILoggingBuilder logging, Logger logger)
    {
        logging.ClearProviders();

        // Serilog's levels decide alone.
        logging.SetMinimumLevel(LogLevel.Trace);
        logging.AddSerilog(logger, dispose: false);
    }
}
