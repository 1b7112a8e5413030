using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;

namespace FenceGateway.Gateway.Demo;

/// <summary>
/// The sample service behind the gateway. It stores orders and does not look at tokens, like any service that was never
/// told about fencing; it repeats the token it got only so that one can see it.
/// </summary>
internal sealed class DemoService : IAsyncDisposable
{
    public const string TokenHeader = "Fencing-Token";

    private const int MaxOrders = 1000;
    private const int MaxBodyBytes = 4096;
    private const int MaxHoldSeconds = 60;
    private const int MaxUnreadWrites = 100;

    private readonly TimeProvider _time;
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, Order> _orders = new(StringComparer.Ordinal);

    // Whoever wants to know reads along; where nobody does, the oldest are forgotten.
    private readonly Channel<DemoWrite> _writes = Channel.CreateBounded<DemoWrite>(
        new BoundedChannelOptions(MaxUnreadWrites) { FullMode = BoundedChannelFullMode.DropOldest });

    private DemoService(int port, TimeProvider time)
    {
        _time = time;

        // Empty: neither the environment nor a settings file of the working directory has a say.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, port);
            kestrel.Limits.MaxRequestBodySize = MaxBodyBytes;
        });
        _app = builder.Build();
        _app.UseRouting();
        _app.MapPut("/orders/{id}", (RequestDelegate)PutAsync);
        _app.MapGet("/orders/{id}", (RequestDelegate)GetAsync);
    }

    /// <summary>The writes in the order in which they arrived.</summary>
    public ChannelReader<DemoWrite> Writes => _writes.Reader;

    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<DemoService> StartAsync(int port, TimeProvider time, CancellationToken cancellationToken)
    {
        var service = new DemoService(port, time);
        try
        {
            await service._app.StartAsync(cancellationToken);
            return service;
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task PutAsync(HttpContext context)
    {
        var write = new DemoWrite(TokenOf(context), _time.GetTimestamp());
        _writes.Writer.TryWrite(write);
        try
        {
            using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
            var value = await reader.ReadToEndAsync(context.RequestAborted);
            await Task.Delay(HoldOf(context.Request), _time, context.RequestAborted);
            await StoreAsync(context, new Order(value, write.Token));
        }
        finally
        {
            write.End(_time.GetTimestamp());
        }
    }

    private Task StoreAsync(HttpContext context, Order order)
    {
        var id = IdOf(context);
        if (_orders.Count >= MaxOrders && !_orders.ContainsKey(id))
        {
            context.Response.StatusCode = StatusCodes.Status507InsufficientStorage;
            return Task.CompletedTask;
        }

        _orders[id] = order;
        return AnswerAsync(context, id, order);
    }

    private Task GetAsync(HttpContext context)
    {
        var id = IdOf(context);
        if (_orders.TryGetValue(id, out var order))
        {
            return AnswerAsync(context, id, order);
        }

        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }

    private static async Task AnswerAsync(HttpContext context, string id, Order order)
    {
        context.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("order", id);
        json.WriteString("value", order.Value);
        json.WriteString("writtenWithToken", order.Token);
        json.WriteEndObject();
    }

    private static string IdOf(HttpContext context) => (string)context.Request.RouteValues["id"]!;

    private static string? TokenOf(HttpContext context) =>
        context.Request.Headers.TryGetValue(TokenHeader, out var token) ? token.ToString() : null;

    private static TimeSpan HoldOf(HttpRequest request) =>
        double.TryParse(request.Query["hold"], out var seconds) && double.IsFinite(seconds)
            ? TimeSpan.FromSeconds(Math.Clamp(seconds, 0, MaxHoldSeconds))
            : TimeSpan.Zero;

    private sealed record Order(string Value, string? Token);
}

/// <summary>A write as the service saw it; times are timestamps of the demo's clock.</summary>
internal sealed class DemoWrite(string? token, long arrived)
{
    private readonly TaskCompletionSource<long> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string? Token => token;

    public long Arrived => arrived;

    /// <summary>When the service was done with it, applied or not.</summary>
    public Task<long> Ended => _ended.Task;

    public void End(long timestamp) => _ended.TrySetResult(timestamp);
}
