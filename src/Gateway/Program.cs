using FenceGateway.Gateway.Cli;
using FenceGateway.Gateway.Demo;
using FenceGateway.Gateway.Hosting;

var app = new CommandLineApp(
    run: (arguments, cancellation) => GatewayHost.RunAsync(arguments, Console.Error, cancellation),
    demo: (arguments, cancellation) => DemoCommand.RunAsync(arguments, GatewayHost.StartAsync, cancellation),
    TimeProvider.System,
    Console.Out,
    Console.Error);
return await app.InvokeAsync(args, CancellationToken.None);
