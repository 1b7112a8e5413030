using System.Net;
using System.Text.Json;
using FenceGateway.Gateway.Demo;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;

namespace FenceGateway.Gateway.Tests.Demo;

/// <summary>A gateway in a few lines, to be better or worse than the real one. Knows one resource.</summary>
internal sealed class FakeGateway
{
    private long _mark;

    /// <summary>Refuses stale tokens.</summary>
    public bool Fences { get; init; } = true;

    /// <summary>Lets a write wait for those before it.</summary>
    public bool Drains { get; init; } = true;

    /// <summary>What a stale token gets.</summary>
    public string ProblemType { get; init; } = "urn:problem-type:fencegateway:fencing-token-stale";

    public string? ConfigFile { get; private set; }

    public string[] Settings { get; private set; } = [];

    public bool Disposed { get; private set; }

    public async Task<IAsyncDisposable> StartAsync(
        string configFile, string[] settings, CancellationToken cancellationToken)
    {
        (ConfigFile, Settings) = (configFile, settings);
        var configuration = new ConfigurationBuilder().AddJsonFile(configFile).AddCommandLine(settings).Build();
        var service = configuration["ReverseProxy:Clusters:orders:Destinations:a:Address"]!;
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().UseUrls(configuration["Urls"]!);
        var app = builder.Build();
        var client = new HttpClient { BaseAddress = new Uri(service) };
        var writing = new SemaphoreSlim(1, 1);
        app.Run(context =>
            context.Request.Method == "PUT" ? WriteAsync(context, client, writing) : ForwardAsync(context, client));
        await app.StartAsync(cancellationToken);
        return new Running(this, app, client, writing);
    }

    private async Task WriteAsync(HttpContext context, HttpClient client, SemaphoreSlim writing)
    {
        var token = long.Parse(context.Request.Headers[DemoService.TokenHeader]!);
        if (Fences && token < _mark)
        {
            context.Response.StatusCode = 409;
            context.Response.ContentType = "application/problem+json";
            context.Response.Headers["Proxy-Status"] = "fencegateway; error=http_request_denied";
            await context.Response.WriteAsync(JsonSerializer.Serialize(new { type = ProblemType, status = 409 }));
            return;
        }

        _mark = token;
        if (!Drains)
        {
            await ForwardAsync(context, client);
            return;
        }

        await writing.WaitAsync(context.RequestAborted);
        try
        {
            await ForwardAsync(context, client);
        }
        finally
        {
            writing.Release();
        }
    }

    private static async Task ForwardAsync(HttpContext context, HttpClient client)
    {
        using var request = new HttpRequestMessage(
            new HttpMethod(context.Request.Method), $"{context.Request.Path}{context.Request.QueryString}");
        if (context.Request.Method == "PUT")
        {
            request.Content = new StreamContent(context.Request.Body);
            request.Headers.Add(DemoService.TokenHeader, (string?)context.Request.Headers[DemoService.TokenHeader]);
        }

        using var response = await client.SendAsync(request, context.RequestAborted);
        context.Response.StatusCode = (int)response.StatusCode;
        context.Response.ContentType = response.Content.Headers.ContentType?.ToString();
        if (response.StatusCode != HttpStatusCode.NoContent)
        {
            await response.Content.CopyToAsync(context.Response.Body);
        }
    }

    private sealed class Running(FakeGateway gateway, WebApplication app, HttpClient client, SemaphoreSlim writing)
        : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            gateway.Disposed = true;
            client.Dispose();
            await app.DisposeAsync();
            writing.Dispose();
        }
    }
}
