using System.Collections.Concurrent;
using System.Diagnostics;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Hosting;
using FenceGateway.Gateway.Settings;
using FenceGateway.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>
/// The gateway in this process, built as its command line builds it, with a journaling service behind it and a clock
/// that the test moves. Kestrel and YARP keep the real clock.
/// </summary>
internal sealed class FencedGateway : IAsyncDisposable, IObserver<KeyValuePair<string, object?>>
{
    private const string RequestStarted = "Microsoft.AspNetCore.Hosting.HttpRequestIn.Start";
    private const string RequestStopped = "Microsoft.AspNetCore.Hosting.HttpRequestIn.Stop";

    private readonly TempFolder _folder;
    private readonly BuiltGateway _gateway;
    private readonly IDisposable _subscription;
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _gone = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, TaskCompletionSource<int>> _status = new(StringComparer.Ordinal);

    private FencedGateway(TempFolder folder, BuiltGateway gateway, JournalService service, ManualTimeProvider clock)
    {
        (_folder, _gateway, Service, Clock) = (folder, gateway, service, clock);
        _subscription = gateway.App.Services.GetRequiredService<DiagnosticListener>().Subscribe(this);
    }

    public JournalService Service { get; }

    public ManualTimeProvider Clock { get; }

    public HttpClient Client { get; private set; } = null!;

    public HttpClient Admin { get; private set; } = null!;

    public Uri Address => new(_gateway.DataAddress);

    public Uri AdminAddress => new(_gateway.AdminAddress);

    public IServiceProvider Services => _gateway.App.Services;

    public static async Task<FencedGateway> StartAsync(
        GatewaySetup? setup = null, Func<JournalService, Uri>? destination = null)
    {
        var folder = new TempFolder();
        var service = await JournalService.StartAsync();
        try
        {
            var file = folder.File("gateway.json");
            await File.WriteAllTextAsync(
                file, (setup ?? new()).Render(destination?.Invoke(service) ?? service.Address));
            var clock = new ManualTimeProvider();
            clock.Advance(TimeSpan.FromDays(1));
            var built = await GatewayHost.BuildAsync(
                new GatewayArguments(file, [], setup?.AllowChaos == true), clock, CancellationToken.None);
            var gateway = new FencedGateway(folder, built, service, clock);
            await built.App.StartAsync();
            gateway.Client = NewClient(gateway.Address);
            gateway.Admin = NewClient(gateway.AdminAddress);
            return gateway;
        }
        catch
        {
            await service.DisposeAsync();
            folder.Dispose();
            throw;
        }
    }

    public static HttpClient NewClient(Uri address) => new(new SocketsHttpHandler { UseProxy = false })
    {
        BaseAddress = address,
        Timeout = TimeLimit.Default,
    };

    /// <summary>The service holds every request until the test ends it.</summary>
    public void HoldAll() => Service.Script = _ => ServiceAction.Hold;

    /// <summary>The service holds requests with <paramref name="token"/> and applies all others.</summary>
    public void Hold(long token) => Service.Script = e => e.Token == token ? ServiceAction.Hold : ServiceAction.Apply();

    public Task<Answer> PutAsync(long? token, string path = "/orders/1") => SendAsync(HttpMethod.Put, token, path);

    public Task<Answer> GetAsync(long? token, string path = "/orders/1") => SendAsync(HttpMethod.Get, token, path);

    public async Task<Answer> SendAsync(HttpMethod method, long? token, string path = "/orders/1")
    {
        using var request = new HttpRequestMessage(method, path);
        if (method != HttpMethod.Get)
        {
            request.Content = new StringContent("x");
        }

        if (token is not null)
        {
            request.Headers.Add("Fencing-Token", token.ToString());
        }

        using var response = await Client.SendAsync(request);
        return await Answer.ReadAsync(response);
    }

    /// <summary>Sends a write that the service holds, and waits until it is there.</summary>
    public async Task<(Task<Answer> Answering, ServiceArrival Arrival)> PutHeldAsync(
        long token, string path = "/orders/1")
    {
        var answering = PutAsync(token, path);
        return (answering, await NextWithBodyAsync(token));
    }

    /// <summary>Sends a write that the service holds from a client of its own, which can leave.</summary>
    public async Task<(RawHttpClient Client, ServiceArrival Arrival)> PutRawAsync(
        string id, long token, string path = "/orders/1")
    {
        var client = await RawHttpClient.ConnectAsync(Address.Port);
        await client.SendAsync(RawHttpClient.Head(
            $"PUT {path} HTTP/1.1",
            "Host: test", $"Fencing-Token: {token}", $"{JournalService.RequestIdHeader}: {id}",
            "Content-Length: 1") + "x");
        return (client, await NextWithBodyAsync(token));
    }

    /// <summary>Sends a write that has to wait for older ones, and returns when it does.</summary>
    public async Task<Task<Answer>> PutWaitingAsync(long token, TimeSpan? timer = null)
    {
        var answering = PutAsync(token);
        await Clock.WaitForTimerAsync(timer ?? GatewaySetup.DrainTimeout);
        answering.IsCompleted.ShouldBeFalse();
        return answering;
    }

    /// <summary>Completes when the gateway has noticed that the client of the request with this id is gone.</summary>
    public Task WaitForClientGoneAsync(string id) =>
        Gone(id).Task.WithinLimit($"the gateway to miss the client of {id}");

    /// <summary>
    /// The status with which the request with this id ended in the gateway, whether or not anybody read it.
    /// </summary>
    public Task<int> WaitForStatusAsync(string id) => StatusOf(id).Task.WithinLimit($"the gateway to end {id}");

    /// <summary>Stops the gateway as SIGTERM does; the test awaits the end.</summary>
    public Task StopAsync() => _gateway.App.StopAsync();

    /// <summary>Puts a changed file in force, as SIGHUP does, and tells how that went.</summary>
    public Task<ReloadOutcome> ReloadAsync(GatewaySetup setup) => ReloadAsync(setup.Render(Service.Address));

    /// <inheritdoc cref="ReloadAsync(GatewaySetup)"/>
    public async Task<ReloadOutcome> ReloadAsync(string json)
    {
        await WriteConfigAsync(json);
        return await Services.GetRequiredService<LastGoodConfiguration>().ReloadAsync(
            NullLogger.Instance, CancellationToken.None);
    }

    public Task WriteConfigAsync(string json) => File.WriteAllTextAsync(_folder.File("gateway.json"), json);

    public async Task<Answer> AdminGetAsync(string path)
    {
        using var response = await Admin.GetAsync(path);
        return await Answer.ReadAsync(response);
    }

    public async Task<Answer> AdminPostAsync(string path, string body, string contentType = "application/json")
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, contentType);
        using var response = await Admin.PostAsync(path, content);
        return await Answer.ReadAsync(response);
    }

    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (value.Value is not HttpContext context
            || context.Request.Headers[JournalService.RequestIdHeader] is not [{ } id])
        {
            return;
        }

        if (value.Key == RequestStarted)
        {
            // The client's own token: the gateway replaces it for writes.
            context.RequestAborted.Register(() => Gone(id).TrySetResult());
        }
        else if (value.Key == RequestStopped)
        {
            StatusOf(id).TrySetResult(context.Response.StatusCode);
        }
    }

    public void OnCompleted()
    {
    }

    public void OnError(Exception error)
    {
    }

    public async ValueTask DisposeAsync()
    {
        _subscription.Dispose();
        Client.Dispose();
        Admin.Dispose();

        // The service first: what it still holds ends, and with it what the gateway would wait for.
        await Service.DisposeAsync();
        await _gateway.DisposeAsync();
        _folder.Dispose();
    }

    /// <summary>With its whole body, so that the service is past reading when the test goes on.</summary>
    private async Task<ServiceArrival> NextWithBodyAsync(long token)
    {
        var arrival = await Service.NextArrivalAsync();
        while (arrival.Entry.Token != token || !arrival.Entry.IsWrite)
        {
            arrival = await Service.NextArrivalAsync();
        }

        await arrival.WaitForBodyAsync(1);
        return arrival;
    }

    private TaskCompletionSource<int> StatusOf(string id) =>
        _status.GetOrAdd(id, _ => new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously));

    private TaskCompletionSource Gone(string id) =>
        _gone.GetOrAdd(id, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
}
