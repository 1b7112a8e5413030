using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Idempotency;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Tests.Fencing;
using FenceGateway.Idempotency;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Memory;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Tests.Idempotency;

/// <summary>Nothing is sent before "started" is durable, and a disk that does not answer holds nobody longer than a
/// write may take.</summary>
public sealed class IdempotencyStartMiddlewareTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly TaskCompletionSource _disk = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _sent;

    [Fact]
    public async Task Start_NotDurableYet_NothingIsSent()
    {
        var context = await RequestAsync();
        var running = InvokeAsync(context);
        _sent.ShouldBe(0);

        _disk.SetResult();
        await running;

        _sent.ShouldBe(1);
        context.Features.GetRequiredFeature<GatewayRequest>().OutlivesClient.ShouldBeTrue();
    }

    [Fact]
    public async Task Start_Fails_IsRefusedAndNothingIsSent()
    {
        var context = await RequestAsync();
        _disk.SetException(new IdempotencyStoreUnavailableException("The disk is full."));

        await InvokeAsync(context);

        ShouldBeRefused(context);
    }

    [Fact]
    public async Task Start_DiskStandsStill_FencedWriteIsRefusedWhenItsTimeIsOver()
    {
        var context = await RequestAsync();
        var running = InvokeAsync(context);
        _time.Advance(TimeSpan.FromSeconds(29));
        running.IsCompleted.ShouldBeFalse();

        _time.Advance(TimeSpan.FromSeconds(1));
        await running;

        ShouldBeRefused(context);
    }

    [Fact]
    public async Task Start_ClientLeavesMeanwhile_NothingIsSent()
    {
        var context = await RequestAsync();
        using var client = new CancellationTokenSource();
        context.RequestAborted = client.Token;
        var running = InvokeAsync(context);

        await client.CancelAsync();
        await running;

        context.Response.StatusCode.ShouldBe(StatusCodes.Status499ClientClosedRequest);
        _sent.ShouldBe(0);
    }

    private void ShouldBeRefused(HttpContext context)
    {
        context.Response.StatusCode.ShouldBe(StatusCodes.Status503ServiceUnavailable);
        context.Response.Headers["Proxy-Status"].ToString().ShouldContain("idempotency-store-full");
        context.Features.GetRequiredFeature<GatewayRequest>().Keyed!.IsStarted.ShouldBeFalse();
        _sent.ShouldBe(0);
    }

    private async Task InvokeAsync(HttpContext context)
    {
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var store = new WaitingStore(_disk.Task);
        var middleware = new IdempotencyStartMiddleware(
            _ =>
            {
                _sent++;
                return Task.CompletedTask;
            },
            store,
            new Attempts(new ForwardDeadline.Pool(_time), _time),
            new IdempotencyMetrics(services.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>(), store),
            _time);
        await middleware.InvokeAsync(context);
    }

    /// <summary>A fenced write, just admitted, that may take 30 s, with its key claimed.</summary>
    private async Task<DefaultHttpContext> RequestAsync()
    {
        var tokens = new MemoryTokenStore(_time, NullLogger<MemoryTokenStore>.Instance);
        var table = new FenceTable(TestSession.Open(tokens, _time), _time, 10);
        var policy = FencingPolicies.Of(
            new FencingPolicyOptions { Resource = "orders/{id}", WriteTimeout = TimeSpan.FromSeconds(30) });
        FencingToken.TryParse("1", out var token).ShouldBeTrue();
        var request = new GatewayRequest { CorrelationId = "1", CorrelationHeader = "X-Correlation-Id" };
        request.Present(policy, table.Get("orders/1"), token, isWrite: true);
        request.Ticket.Begin(session: null, _time.GetTimestamp(), FencingMode.Enforce);
        await using var store = new MemoryIdempotencyStore(10, 1 << 20, _time);
        await store.OpenAsync(CancellationToken.None);
        var (key, print) = (KeyHash.Of("r", null, "k"), RequestFingerprint.Of(["POST"], []));
        var claim = await store.ClaimAsync(
            new ClaimRequest(key, print, TimeSpan.FromHours(1), ResendUnknown: false), CancellationToken.None);
        var answer = new HeldAnswer(new StreamResponseBodyFeature(Stream.Null), 100);
        request.Keyed = new KeyedRequest("r", null!, claim.Claim!, answer);
        var context = new DefaultHttpContext();
        context.Features.Set(request);
        context.Features.Set<IReverseProxyFeature>(new OneDestination());
        return context;
    }

    private sealed class OneDestination : IReverseProxyFeature
    {
        public RouteModel Route => throw new NotSupportedException();

        public ClusterModel Cluster => throw new NotSupportedException();

        public IReadOnlyList<DestinationState> AllDestinations => AvailableDestinations;

        public IReadOnlyList<DestinationState> AvailableDestinations { get; set; } = [new DestinationState("a")];

        public DestinationState? ProxiedDestination { get; set; }
    }

    /// <summary>Starts when the disk says so.</summary>
    private sealed class WaitingStore(Task disk) : IIdempotencyStore
    {
        public string Location => "a test";

        public long Count => 0;

        public long Bytes => 0;

        public ValueTask StartAsync(IdempotencyClaim claim, CancellationToken cancellationToken) =>
            new(disk.WaitAsync(cancellationToken));

        public ValueTask OpenAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<ClaimReply> ClaimAsync(ClaimRequest request, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask CompleteAsync(
            IdempotencyClaim claim, StoredAnswer answer, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask AbandonAsync(
            IdempotencyClaim claim, UnknownReason reason, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask ReleaseAsync(IdempotencyClaim claim, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
