using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace FenceGateway.Gateway.Admin;

/// <summary>
/// The admin listener: a server of its own, so that nothing of it can be reached on the data listener whatever a
/// request says about its host, and so that probes are answered while the data listener drains.
/// </summary>
internal sealed class AdminServer(
    AdminOptions options, IEnumerable<IAdminEndpoints> features, ILoggerFactory loggers, ILogger<AdminServer> logger)
    : IHostedService, IAsyncDisposable
{
    private WebApplication? _app;

    /// <summary>
    /// Where it listens, with the port that was given when 0 was asked for; null before it has started.
    /// </summary>
    public string? Address { get; private set; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrel(kestrel => kestrel.AddServerHeader = false).UseUrls(options.Url);
        builder.Services.AddRouting();
        builder.Services.AddSingleton(loggers);
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        _app = builder.Build();
        _app.UseMiddleware<AdminErrorMiddleware>();
        _app.UseMiddleware<AdminOriginMiddleware>(options);
        _app.UseRouting();
        foreach (var feature in features)
        {
            feature.Map(_app);
        }

        await _app.StartAsync(cancellationToken);
        Address = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses
            .First();
        logger.Listening(Address);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_app is not null)
        {
            await _app.StopAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }
    }

    /// <summary>
    /// The process has one lifetime, the gateway's; this server lives inside it and says nothing about it.
    /// </summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
