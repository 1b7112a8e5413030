using FenceGateway.Gateway.Cli;
using FenceGateway.Gateway.Hosting;

// Signals are the host's business: it drains first. The demo and the short verbs end with the process.
var app = new CommandLineApp(
    run: (arguments, cancellation) => GatewayHost.RunAsync(arguments, Console.Error, cancellation),
    demo: (_, _) => Task.FromResult(1),
    TimeProvider.System,
    Console.Out,
    Console.Error);
return await app.InvokeAsync(args, CancellationToken.None);
