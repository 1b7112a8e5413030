using System.Runtime.InteropServices;
using FenceGateway.Gateway.Cli;

namespace FenceGateway.Gateway.Demo;

/// <summary><c>demo</c>: a sample service, a gateway in front of it, and the story, in a temporary folder.</summary>
internal sealed class DemoCommand(
    DemoArguments arguments,
    Func<string, string[], CancellationToken, Task<IAsyncDisposable>> startGateway,
    TimeProvider time,
    TextWriter output,
    TextWriter error)
{
    /// <summary>Runs the demo on the console.</summary>
    /// <param name="arguments">What was typed.</param>
    /// <param name="startGateway">Starts a gateway with a configuration file and settings; ends when it
    /// listens.</param>
    /// <param name="cancellationToken">Ends the demo, as Ctrl-C and SIGTERM do.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(
        DemoArguments arguments,
        Func<string, string[], CancellationToken, Task<IAsyncDisposable>> startGateway,
        CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        var plain = arguments.NoColor || Console.IsOutputRedirected
            || Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 };
        var demo = new DemoCommand(
            arguments with { NoColor = plain }, startGateway, TimeProvider.System, Console.Out, Console.Error);
        return await demo.RunAsync(stop.Token);

        // The second signal ends the process at once, for whoever does not want to wait.
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = !stop.IsCancellationRequested;
            stop.Cancel();
        }
    }

    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        if (DemoConfiguration.FindConflict(arguments.Settings) is { } setting)
        {
            await error.WriteLineAsync(
                $"fencegateway: The demo chooses its addresses itself: instead of '{setting}' use --port and "
                    + "--admin-port.");
            return ExitCode.BadUsage;
        }

        var (ports, problems) = DemoPorts.Find(arguments);
        if (ports is null)
        {
            await error.WriteLineAsync(string.Join(Environment.NewLine, problems));
            return ExitCode.Failed;
        }

        var folder = Directory.CreateTempSubdirectory("fencegateway-demo-").FullName;
        try
        {
            return await PlayAsync(folder, ports, cancellationToken);
        }
        catch (IOException e)
        {
            // Most likely a port that another program took since it was tried.
            await error.WriteLineAsync(
                $"The demo could not start: {e.Message} See --port, --admin-port and --service-port.");
            return ExitCode.Failed;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task<int> PlayAsync(string folder, DemoPorts ports, CancellationToken cancellationToken)
    {
        var screen = new DemoScreen(output, arguments.NoColor);
        var asTold = false;
        try
        {
            await using var service = await DemoService.StartAsync(ports.Service, time, cancellationToken);
            var file = await DemoConfiguration.WriteAsync(folder, ports, cancellationToken);
            await using var gateway = await startGateway(
                file, DemoConfiguration.Settings(arguments, ports), cancellationToken);
            using var client = new DemoClient(ports.GatewayUrl, time);
            DemoBanner.Write(screen, ports);
            asTold = await new DemoStory(screen, client, service, time).PlayAsync(cancellationToken);
            if (asTold)
            {
                DemoBanner.WriteSummary(screen);
                await StayUpAsync(screen, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            screen.Line();
            screen.Line(asTold ? "Stopped." : "Stopped before the end of the story.");
        }

        return asTold ? ExitCode.Done : ExitCode.Failed;
    }

    private async Task StayUpAsync(DemoScreen screen, CancellationToken cancellationToken)
    {
        screen.Line();
        if (arguments.Once)
        {
            return;
        }

        screen.Line("Gateway and service stay up until Ctrl-C.");
        await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
    }
}
