using System.Diagnostics;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.Gateway.Requests;
using FenceGateway.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.Blame;

/// <summary>Time that runs out while the gateway waits for the client says nothing about the service; what was sent
/// stays in doubt.</summary>
public sealed class SlowClientTests
{
    private const string Breaker = """ "CircuitBreaker": { } """;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(3);

    /// <summary>More than the buffers between a service and a client hold.</summary>
    private static readonly string Long = new('x', 64 * 1024 * 1024);

    [Theory]
    [InlineData("/open/1", """ "Timeouts": { "FirstByte": "00:00:03" }, """)]
    [InlineData("/open/1", """ "Timeouts": { "Total": "00:00:03" }, """)]
    [InlineData("/orders/1", """ "Timeouts": { "FirstByte": "00:00:03" }, """)]
    [InlineData("/orders/1", """ "Timeouts": { "Total": "00:00:03" }, """)]
    [InlineData("/orders/1", "")]
    public async Task Upload_TheClientDoesNotSend_408AndTheCircuitIsNotTold(string path, string times)
    {
        await using var gateway = await FencedGateway.StartAsync(ResilientSetup.With(times + Breaker));
        using var requests = new RequestsOf(gateway);
        using var meters = new MeterRecorder(gateway);
        gateway.HoldAll();
        await using var client = await UploadAsync(gateway, path);
        await requests.WaitForClientWaitAsync();

        gateway.Clock.Advance(times.Length > 0 ? Limit : GatewaySetup.WriteTimeout);

        (await client.ReadResponseAsync()).Status.ShouldBe(408);
        Verdict(meters).ShouldBe("neutral");
        var inDoubt = path == "/orders/1" ? [33L] : Array.Empty<long>();
        (await InDoubtAsync(gateway)).ShouldBe(inDoubt);
    }

    [Theory]
    [InlineData("/open/1")]
    [InlineData("/orders/1")]
    public async Task Upload_TheServiceDoesNotAnswer_504AndTheCircuitIsTold(string path)
    {
        await using var gateway = await FencedGateway.StartAsync(
            ResilientSetup.With(""" "Timeouts": { "FirstByte": "00:00:03" }, """ + Breaker));
        using var meters = new MeterRecorder(gateway);
        gateway.HoldAll();
        await using var client = await UploadAsync(gateway, path);
        await client.SendAsync("yyyyyyyyy");
        var held = await gateway.Service.NextArrivalAsync();
        await held.WaitForBodyAsync(10);

        gateway.Clock.Advance(Limit);

        (await client.ReadResponseAsync()).Status.ShouldBe(504);
        Verdict(meters).ShouldBe("failed");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Upload_StandsStillForIdle_408AndNeitherCircuitNorHealthIsTold(bool http2)
    {
        var setup = ResilientSetup.With(""" "Timeouts": { "Idle": "00:00:01" }, """ + Breaker);
        await using var gateway = await FencedGateway.StartAsync(
            setup with
            {
                Cluster = setup.Cluster + $$"""
                    , "HttpRequest": { "Version": "{{(http2 ? "2" : "1.1")}}", "VersionPolicy": "RequestVersionExact" }
                    , "HealthCheck": { "Passive": { "Enabled": true, "ReactivationPeriod": "00:10:00" } }
                    """,
            },
            http2 ? service => service.Http2Address : null);
        using var meters = new MeterRecorder(gateway);
        (await gateway.GetAsync(null, "/open/1")).ShouldBeServices(200);
        gateway.HoldAll();

        // YARP's own policy needs ten attempts before it judges.
        var answers = await Task.WhenAll(Enumerable.Range(0, 11).Select(async _ =>
        {
            await using var client = await UploadAsync(gateway, "/open/1");
            return await client.ReadResponseAsync();
        }));
        answers.Select(answer => answer.Status).Distinct().ShouldBe([408], answers[0].Text);

        meters.Of("fencegateway.circuit.attempts").Select(m => m.Tags["fencegateway.verdict"]).Distinct()
            .ShouldBe(["succeeded", "neutral"]);
        gateway.Service.Script = _ => ServiceAction.Apply();
        (await gateway.GetAsync(null, "/open/1")).ShouldBeServices(200);
    }

    [Theory]
    [InlineData("GET", "/open/1", """ "Timeouts": { "Total": "00:00:03" }, """)]
    [InlineData("PUT", "/orders/1", """ "Timeouts": { "Total": "00:00:03" }, """)]
    [InlineData("PUT", "/orders/1", "")]
    public async Task Download_TheClientDoesNotRead_TheCircuitIsNotTold(string method, string path, string times)
    {
        await using var gateway = await FencedGateway.StartAsync(ResilientSetup.With(times + Breaker));
        using var requests = new RequestsOf(gateway);
        using var meters = new MeterRecorder(gateway);
        gateway.Service.Script = _ => ServiceAction.Apply(200, Long);
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client.SendHeadAsync($"{method} {path} HTTP/1.1", "Host: test", "Fencing-Token: 33", "Content-Length: 0");
        await requests.WaitForClientWaitAsync();

        gateway.Clock.Advance(times.Length > 0 ? Limit : GatewaySetup.WriteTimeout);

        await client.WaitForCloseAsync();
        await Eventually.IsSoAsync(() => meters.Of("fencegateway.circuit.attempts").Count == 1, "the attempt to end");
        Verdict(meters).ShouldBe("neutral");
        (await InDoubtAsync(gateway)).Length.ShouldBe(path == "/orders/1" ? 1 : 0);
    }

    [Fact]
    public async Task Download_TheServiceDoesNotGoOn_TheCircuitIsTold()
    {
        await using var gateway = await FencedGateway.StartAsync(
            ResilientSetup.With(""" "Timeouts": { "Total": "00:00:03" }, """ + Breaker));
        using var requests = new RequestsOf(gateway);
        using var meters = new MeterRecorder(gateway);
        gateway.HoldAll();
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client.SendHeadAsync("GET /open/1 HTTP/1.1", "Host: test");
        (await gateway.Service.NextArrivalAsync()).SendPart("half");
        await client.ReadUntilAsync("half");
        await requests.WaitForNoClientWaitAsync();

        gateway.Clock.Advance(Limit);

        await client.WaitForCloseAsync();
        await Eventually.IsSoAsync(() => meters.Of("fencegateway.circuit.attempts").Count == 1, "the attempt to end");
        Verdict(meters).ShouldBe("failed");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task SlowCall_IsMeasuredWithoutTheClient(bool clientIsSlow)
    {
        await using var gateway = await FencedGateway.StartAsync(
            ResilientSetup.With(""" "CircuitBreaker": { "SlowCallThreshold": "00:00:02" } """));
        using var requests = new RequestsOf(gateway);
        using var meters = new MeterRecorder(gateway);
        gateway.HoldAll();
        await using var client = await UploadAsync(gateway, "/open/1");
        var held = await gateway.Service.NextArrivalAsync();
        await requests.WaitForClientWaitAsync();
        gateway.Clock.Advance(clientIsSlow ? Limit : TimeSpan.Zero);
        await client.SendAsync("yyyyyyyyy");
        await held.WaitForBodyAsync(10);
        await requests.WaitForNoClientWaitAsync();
        gateway.Clock.Advance(clientIsSlow ? TimeSpan.Zero : Limit);
        held.Release();

        (await client.ReadResponseAsync()).Status.ShouldBe(200);
        await Eventually.IsSoAsync(() => meters.Of("fencegateway.circuit.attempts").Count == 1, "the attempt to end");
        Verdict(meters).ShouldBe(clientIsSlow ? "succeeded" : "slow");
    }

    private static async Task<RawHttpClient> UploadAsync(FencedGateway gateway, string path)
    {
        var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await client.SendAsync(RawHttpClient.Head(
            $"PUT {path} HTTP/1.1", "Host: test", "Fencing-Token: 33", "Content-Length: 10") + "x");
        return client;
    }

    private static string Verdict(MeterRecorder meters) =>
        (string)meters.Of("fencegateway.circuit.attempts").Single().Tags["fencegateway.verdict"]!;

    private static async Task<long[]> InDoubtAsync(FencedGateway gateway) =>
        (await gateway.AdminGetAsync("/admin/v1/resources/orders/1")) is { Status: 200 } answer
            ? [.. answer.Json.GetProperty("inDoubt").EnumerateArray()
                .Select(write => write.GetProperty("token").GetInt64())]
            : [];

    /// <summary>The last request of the gateway, to see whether it waits for its client.</summary>
    private sealed class RequestsOf : IObserver<KeyValuePair<string, object?>>, IDisposable
    {
        private readonly IDisposable _subscription;
        private volatile HttpContext? _last;

        public RequestsOf(FencedGateway gateway) =>
            _subscription = gateway.Services.GetRequiredService<DiagnosticListener>().Subscribe(this);

        public Task WaitForClientWaitAsync() => StaysAsync(true, "the gateway to wait for the client");

        public Task WaitForNoClientWaitAsync() => StaysAsync(false, "the gateway not to wait for the client");

        /// <summary>
        /// While pieces go through and buffers fill, the gateway waits for its client again and again, each time for a
        /// moment: what lasts is seen many times in a row.
        /// </summary>
        private Task StaysAsync(bool waits, string what)
        {
            var inARow = 0;
            return Eventually.IsSoAsync(() => (inARow = Waits == waits ? inARow + 1 : 0) == 30, what);
        }

        private bool? Waits => _last?.Features.Get<GatewayRequest>() is { Attempts.Count: > 0 } request
            ? request.Attempts.WaitsForClient
            : null;

        public void OnNext(KeyValuePair<string, object?> value)
        {
            if (value is { Key: "Microsoft.AspNetCore.Hosting.HttpRequestIn.Start", Value: HttpContext context })
            {
                _last = context;
            }
        }

        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }

        public void Dispose() => _subscription.Dispose();
    }
}
