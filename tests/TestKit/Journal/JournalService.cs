using System.Globalization;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FenceGateway.TestKit;

/// <summary>
/// The protected resource: a real HTTP service (Kestrel on a free loopback port) that journals what arrives and what it
/// applies. It lives in the test's process and therefore survives a killed gateway.
/// </summary>
public sealed class JournalService : IAsyncDisposable
{
    /// <summary>Clients give each request an id of its own, so that a request sent twice is seen.</summary>
    public const string RequestIdHeader = "Test-Request-Id";

    private const string TokenHeader = "Fencing-Token";

    private readonly WebApplication _app;
    private readonly Lock _lock = new();
    private readonly List<JournalEntry> _entries = [];
    private readonly Channel<ServiceArrival> _arrivals = Channel.CreateUnbounded<ServiceArrival>();
    private readonly CancellationTokenSource _stopping = new();
    private volatile Func<JournalEntry, ServiceAction> _script = _ => ServiceAction.Apply();

    private JournalService(EventClock clock, int maxStreams)
    {
        Clock = clock;
        var builder = WebApplication.CreateSlimBuilder();
        _ = builder.Logging.ClearProviders();
        _ = builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(1));
        _ = builder.WebHost.ConfigureKestrel(options => Configure(options, maxStreams));
        _app = builder.Build();
        _app.Run(HandleAsync);
    }

    public EventClock Clock { get; }

    /// <summary>Speaks HTTP/1.1.</summary>
    public int Port { get; private set; }

    /// <summary>Speaks HTTP/2 without TLS (prior knowledge).</summary>
    public int Http2Port { get; private set; }

    public Uri Address => new($"http://127.0.0.1:{Port}/");

    public Uri Http2Address => new($"http://127.0.0.1:{Http2Port}/");

    /// <summary>
    /// What to do with a request, asked when its head has arrived; by default it is applied and answered with 200.
    /// </summary>
    public Func<JournalEntry, ServiceAction> Script
    {
        get => _script;
        set => _script = value;
    }

    /// <summary>All requests so far in the order of their arrival.</summary>
    public IReadOnlyList<JournalEntry> Entries
    {
        get
        {
            lock (_lock)
            {
                return [.. _entries];
            }
        }
    }

    /// <summary>The writes that carried a token, as the history checker wants them.</summary>
    public IReadOnlyList<ServiceWrite> Writes =>
        [.. Entries.Where(e => e.IsWrite && e.Token is not null).Select(ServiceWrite.From)];

    /// <param name="clock">Numbers what happens; default: one of its own.</param>
    /// <param name="maxStreams">How many requests an HTTP/2 connection bears at once.</param>
    public static async Task<JournalService> StartAsync(EventClock? clock = null, int maxStreams = 100)
    {
        var service = new JournalService(clock ?? new EventClock(), maxStreams);
        await service._app.StartAsync();

        // In the order of Configure.
        int[] ports = [.. service._app.Urls.Select(url => new Uri(url).Port)];
        (service.Port, service.Http2Port) = (ports[0], ports[1]);
        return service;
    }

    /// <summary>
    /// The next request that arrives, held or not; each is handed out once, in the order of arrival, also those that
    /// came before the call.
    /// </summary>
    public Task<ServiceArrival> NextArrivalAsync(TimeSpan? limit = null) =>
        _arrivals.Reader.ReadAsync().AsTask().WithinLimit("a request to arrive at the service", limit);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _app.DisposeAsync();
        _stopping.Dispose();
    }

    internal JournalEntry EntryAt(int index)
    {
        lock (_lock)
        {
            return _entries[index];
        }
    }

    private static void Configure(KestrelServerOptions options, int maxStreams)
    {
        // A service that waits as long as it must: no limit of its own may end a request before the test does.
        options.Limits.MaxRequestBodySize = null;
        options.Limits.MinRequestBodyDataRate = null;
        options.Limits.MinResponseDataRate = null;
        options.Limits.Http2.MaxStreamsPerConnection = maxStreams;
        options.AddServerHeader = false;
        options.Listen(IPAddress.Loopback, 0, o => o.Protocols = HttpProtocols.Http1);
        options.Listen(IPAddress.Loopback, 0, o => o.Protocols = HttpProtocols.Http2);
    }

    private async Task HandleAsync(HttpContext context)
    {
        var (index, entry) = Start(context.Request);
        var action = _script(entry);
        var arrival = new ServiceArrival(this, index, action is ServiceAction.HoldAction);
        await using var gone = context.RequestAborted.Register(arrival.ClientGone);
        _ = _arrivals.Writer.TryWrite(arrival);
        try
        {
            if (action is ServiceAction.AnswerAction { Early: true } early)
            {
                await AnswerAsync(context, index, early.Status, early.Body, early.Applied);
                return;
            }

            if (!await ReadBodyAsync(context, arrival))
            {
                End(index, JournalResult.Aborted, null);
                context.Abort();
                return;
            }

            await DoAsync(context, arrival, action);
        }
        finally
        {
            arrival.Ended();
        }
    }

    private async Task DoAsync(HttpContext context, ServiceArrival arrival, ServiceAction action)
    {
        switch (action)
        {
            case ServiceAction.AnswerAction answer:
                await AnswerAsync(context, arrival.Index, answer.Status, answer.Body, answer.Applied);
                break;
            case ServiceAction.ResetAction reset:
                Reset(context, arrival.Index, reset.Applied);
                break;
            default:
                await ObeyAsync(context, arrival);
                break;
        }
    }

    private async Task ObeyAsync(HttpContext context, ServiceArrival arrival)
    {
        try
        {
            await foreach (var command in arrival.Commands.ReadAllAsync(_stopping.Token))
            {
                switch (command)
                {
                    case ServiceArrival.Command.Release release:
                        await AnswerAsync(context, arrival.Index, release.Status, release.Body, release.Applied);
                        return;
                    case ServiceArrival.Command.Reset reset:
                        Reset(context, arrival.Index, reset.Applied);
                        return;
                    case ServiceArrival.Command.Apply:
                        Apply(arrival.Index);
                        break;
                    case ServiceArrival.Command.Part part:
                        await SendPartAsync(context, part);
                        break;
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The service ends: what was never answered stays pending in the journal.
            context.Abort();
        }
    }

    private static async Task SendPartAsync(HttpContext context, ServiceArrival.Command.Part part)
    {
        if (!context.Response.HasStarted)
        {
            context.Response.StatusCode = part.Status;
        }

        await context.Response.WriteAsync(part.Text);
        await context.Response.Body.FlushAsync();
    }

    private async Task AnswerAsync(HttpContext context, int index, int status, string body, bool applied)
    {
        if (!context.Response.HasStarted)
        {
            context.Response.StatusCode = status;
        }

        // Journaled before the first byte of the answer leaves: whoever sees the answer sees the end.
        End(index, applied ? JournalResult.Applied : JournalResult.Refused, context.Response.StatusCode);
        if (body.Length > 0)
        {
            await context.Response.WriteAsync(body);
        }
    }

    private void Reset(HttpContext context, int index, bool applied)
    {
        End(index, applied ? JournalResult.Applied : JournalResult.Aborted, null);
        context.Abort();
    }

    /// <summary>Whether the body came to its end.</summary>
    private async Task<bool> ReadBodyAsync(HttpContext context, ServiceArrival arrival)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            while (await context.Request.Body.ReadAsync(buffer, context.RequestAborted) is > 0 and var count)
            {
                Update(arrival.Index, e => e with { BodyLength = e.BodyLength + count });
                arrival.BodyRead(count);
            }

            return true;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return false;
        }
    }

    private (int Index, JournalEntry Entry) Start(HttpRequest request)
    {
        var token = request.Headers[TokenHeader];
        var id = request.Headers[RequestIdHeader];
        lock (_lock)
        {
            var entry = new JournalEntry
            {
                Started = Clock.Next(),
                Method = request.Method,
                Resource = request.Path.Value ?? "",
                Target = request.HttpContext.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget,
                Token = token.Count == 1
                    && long.TryParse(token[0], NumberStyles.None, CultureInfo.InvariantCulture, out var value)
                    ? value
                    : null,
                RequestId = id.Count == 0 ? null : id.ToString(),
                Headers = request.Headers.ToDictionary(
                    h => h.Key, h => h.Value.Select(v => v ?? "").ToArray(), StringComparer.OrdinalIgnoreCase),
                Protocol = request.Protocol,
            };
            _entries.Add(entry);
            return (_entries.Count - 1, entry);
        }
    }

    private void Apply(int index) =>
        Update(index, e => e with { AppliedAt = e.AppliedAt ?? Clock.Next(), Result = JournalResult.Applied });

    private void End(int index, JournalResult result, int? status) =>
        Update(index, e =>
        {
            // An effect that has happened stays: a held request may be applied first and reset later.
            var applied = e.AppliedAt ?? (result == JournalResult.Applied ? Clock.Next() : null);
            return e with
            {
                AppliedAt = applied,
                Ended = Clock.Next(),
                Result = applied is null ? result : JournalResult.Applied,
                Status = status,
            };
        });

    private void Update(int index, Func<JournalEntry, JournalEntry> change)
    {
        lock (_lock)
        {
            _entries[index] = change(_entries[index]);
        }
    }
}
