using System.Net.Sockets;
using FenceGateway.Gateway.Admin;
using FenceGateway.Gateway.Chaos;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Listeners;
using FenceGateway.Gateway.Overload;
using FenceGateway.Gateway.Settings;
using FenceGateway.Gateway.Telemetry;
using FenceGateway.Idempotency;
using FenceGateway.TokenStore;
using Microsoft.AspNetCore.Connections;

namespace FenceGateway.Gateway.Hosting;

/// <summary>Builds and runs the gateway.</summary>
internal static class GatewayHost
{
    /// <summary>
    /// Runs until it is told to stop. Exit code 0, or 1 when it could not start; the reason goes to
    /// <paramref name="error"/>.
    /// </summary>
    /// <exception cref="ConfigurationRejectedException">The configuration is not good.</exception>
    public static async Task<int> RunAsync(
        GatewayArguments arguments, TextWriter error, CancellationToken cancellationToken)
    {
        if (DescriptorLimit.Descriptors() is var descriptors and < DescriptorLimit.Least)
        {
            await error.WriteLineAsync(
                $"The process may open {descriptors} files and needs {DescriptorLimit.Least} at least: raise it with "
                    + "ulimit -n.");
            return 1;
        }

        await using var gateway = await BuildAsync(arguments, TimeProvider.System, cancellationToken);
        try
        {
            await gateway.App.StartAsync(cancellationToken);
        }
        catch (Exception e)
        {
            // The host does not stop what it could not start; the next start would take the open store for one of a
            // crash.
            await gateway.CloseStoreAsync();
            switch (e)
            {
                case OperationCanceledException:
                    // Told to stop while it started.
                    return 0;
                case TokenStoreUnavailableException or IdempotencyStoreUnavailableException or SafetyGradeException
                    or IOException or UnauthorizedAccessException or SocketException:
                    await error.WriteLineAsync(Explain(e));
                    return 1;
                default:
                    throw;
            }
        }

        await gateway.App.WaitForShutdownAsync(cancellationToken);
        return 0;
    }

    /// <summary>Starts a gateway and returns when it listens; disposing stops it in good order.</summary>
    public static async Task<IAsyncDisposable> StartAsync(
        string configFile, string[] settings, CancellationToken cancellationToken)
    {
        var gateway = await BuildAsync(
            new GatewayArguments(configFile, settings), TimeProvider.System, cancellationToken);
        try
        {
            await gateway.App.StartAsync(cancellationToken);
            return new RunningGateway(gateway);
        }
        catch
        {
            await gateway.DisposeAsync();
            throw;
        }
    }

    /// <summary>Builds the gateway; nothing listens and no store is open yet.</summary>
    public static async Task<BuiltGateway> BuildAsync(
        GatewayArguments arguments, TimeProvider time, CancellationToken cancellationToken)
    {
        // A lone line feed ends a line to some parsers only: a request that has one may be another request to the
        // service.
        AppContext.SetSwitch("Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators", isEnabled: true);
        var configuration = await LastGoodConfiguration.LoadAsync(arguments, time, cancellationToken);
        var (limits, descriptors) = (configuration.Current.Options.Limits, DescriptorLimit.Descriptors());
        var builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions { ContentRootPath = Environment.CurrentDirectory });
        configuration.AddTo(builder.Configuration);
        builder.Services.AddGatewayLogging(builder.Configuration, time);
        builder.Services.AddSingleton(ChaosSwitch.Of(arguments));
        builder.Services.AddGateway(configuration, time);
        builder.WebHost.UseGatewayListeners(DescriptorLimit.Of(limits, descriptors).Connections);

        // The last one that is added is asked first.
        builder.Services.AddSingleton<IConnectionListenerFactory>(
            services => ActivatorUtilities.CreateInstance<BoundedListeners>(
                services, DescriptorLimit.Room(limits, descriptors)));

        var app = builder.Build();
        var templates = app.Services.GetRequiredService<TemplateGuard>();
        configuration.Guard((current, next) => templates.Check(current.Fenced, next.Fenced));
        app.UseGateway(configuration.Current.Options.Requests);
        return new BuiltGateway(app);
    }

    /// <summary>What an operator can do about a failed start.</summary>
    public static string Explain(Exception e) => e switch
    {
        IOException { InnerException: AddressInUseException } =>
            $"{e.Message} Choose another with --urls http://127.0.0.1:PORT, the admin listener's with "
                + "--FenceGateway:Admin:Url=…",
        SocketException => $"The gateway cannot listen where it was told to: {e.Message}. See Urls, Kestrel:Endpoints "
            + "and FenceGateway:Admin:Url.",
        _ => e.Message,
    };
}

/// <summary>A gateway that need not listen yet.</summary>
internal sealed class BuiltGateway(WebApplication app) : IAsyncDisposable
{
    public WebApplication App => app;

    /// <summary>Where the data listener listens, once started.</summary>
    public string DataAddress => app.Urls.First();

    /// <summary>Where the admin listener listens, once started.</summary>
    public string AdminAddress => app.Services.GetRequiredService<AdminServer>().Address!;

    /// <summary>Closes the store of a gateway that did not come up; does nothing when it is closed.</summary>
    public async ValueTask CloseStoreAsync()
    {
        var table = app.Services.GetRequiredService<FenceTable>();
        table.Close();
        var (inFlight, inDoubt) = table.CountActive();
        try
        {
            await app.Services.GetRequiredService<StoreClient>().CloseAsync(isClean: inFlight + inDoubt == 0);
        }
        catch (TokenStoreUnavailableException)
        {
            // Why it could not start is what is told.
        }
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}

/// <summary>A gateway that listens; disposing stops it in good order.</summary>
internal sealed class RunningGateway(BuiltGateway gateway) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        await gateway.App.StopAsync();
        await gateway.DisposeAsync();
    }
}
