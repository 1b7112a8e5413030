using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Resilience.CircuitBreaking;
using Microsoft.AspNetCore.Http;
using Polly.CircuitBreaker;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Tests.Resilience.CircuitBreaking;

public sealed class CircuitBreakerMiddlewareTests : IDisposable
{
    private readonly CircuitWorld _world = new();
    private readonly Circuit _a;
    private readonly Circuit _b;
    private readonly ClusterCircuits _circuits;
    private readonly Attempts _attempts;
    private readonly ReverseProxyFeature _proxy;
    private readonly DefaultHttpContext _context = new();
    private readonly GatewayRequest _request = new() { CorrelationId = "1", CorrelationHeader = "X-Correlation-Id" };
    public CircuitBreakerMiddlewareTests()
    {
        (_a, _b) = (_world.NewCircuit(), _world.NewCircuit(destination: "b"));
        _circuits = new ClusterCircuits("orders", "default", [_a, _b], _world.Metrics);
        _attempts = new Attempts(new ForwardDeadline.Pool(_world.Time), _world.Time);
        _world.Advance(1);
        _proxy =
            new ReverseProxyFeature { AvailableDestinations = [new DestinationState("a"), new DestinationState("b")] };
        SetSticky(false);
        _context.Features.Set(_request);
        _context.Features.Set<IReverseProxyFeature>(_proxy);
        _context.SetEndpoint(new Endpoint(
            null, new EndpointMetadataCollection(new RouteMechanisms { Circuits = _circuits }), "test"));
    }

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task Invoke_AllClosed_LeavesTheChoiceAlone()
    {
        var before = _proxy.AvailableDestinations;
        var next = new TaskCompletionSource();
        var middleware = new CircuitBreakerMiddleware(_ => next.Task, _attempts);

        var running = middleware.InvokeAsync(_context);

        running.ShouldBeSameAs(next.Task);
        _proxy.AvailableDestinations.ShouldBeSameAs(before);
        next.SetResult();
        await running;
    }

    [Fact]
    public async Task Invoke_OneOpen_TheOthersAreLeft()
    {
        CircuitWorld.Open(_a);
        (await RunAsync(200)).ShouldBe(["b"]);
        _a.State.ShouldBe(CircuitState.Open);
    }

    [Fact]
    public async Task Invoke_AllOpen_503WithTheTimeToTheEarliestHalfOpen()
    {
        CircuitWorld.Open(_a);
        _world.Advance(2);
        CircuitWorld.Open(_b);
        _world.Advance(0.5);

        (await RunAsync(200)).ShouldBeNull();

        _context.Response.StatusCode.ShouldBe(503);
        _context.Response.Headers.RetryAfter.ToString().ShouldBe("3");
        _context.Response.Headers["Proxy-Status"].ToString().ShouldContain("circuit-open");
        _world.Measured.ShouldContain("shed orders default");
        _a.Look().Counts.Shed.ShouldBe(1);
    }

    [Fact]
    public async Task Invoke_NoneWasAvailableAnyway_IsYarpsToAnswer()
    {
        CircuitWorld.Open(_a);
        _proxy.AvailableDestinations = [];
        (await RunAsync(200)).ShouldBe([]);
    }

    [Fact]
    public async Task Invoke_OnlyOneAvailableAndItIsOpen_503()
    {
        CircuitWorld.Open(_a);
        _proxy.AvailableDestinations = [_proxy.AvailableDestinations[0]];
        (await RunAsync(200)).ShouldBeNull();
        _context.Response.StatusCode.ShouldBe(503);
    }

    [Fact]
    public async Task Invoke_DestinationThatNoCircuitKnows_IsLeft()
    {
        CircuitWorld.Open(_a);
        _proxy.AvailableDestinations = [_proxy.AvailableDestinations[0], new DestinationState("new")];
        (await RunAsync(200)).ShouldBe(["new"]);
    }

    [Fact]
    public async Task Invoke_BreakIsOver_GoesThereAloneAndCloses()
    {
        CircuitWorld.Open(_a);
        _world.Advance(5);

        (await RunAsync(200)).ShouldBe(["a"]);

        _a.IsClosed.ShouldBeTrue();
        _a.Look().Counts.ShouldBe(new CircuitCounts(1, 4, 0, 0, 0));
    }

    [Fact]
    public async Task Invoke_ProbeFails_OpensAgain()
    {
        CircuitWorld.Open(_a);
        _world.Advance(5);
        (await RunAsync(503)).ShouldBe(["a"]);
        _a.State.ShouldBe(CircuitState.Open);
        _a.RetryAfter.ShouldBe(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task Invoke_WhileTheProbeIsOnItsWay_OthersStayAway()
    {
        CircuitWorld.Open(_a);
        _a.Policy.HalfOpenProbes.ShouldBe(1);
        _world.Advance(5);
        _a.TryProbe().ShouldNotBeNull();
        (await RunAsync(200)).ShouldBe(["b"]);
    }

    [Fact]
    public async Task Invoke_ProbeRefusedBeforeAnyAttempt_GivesItsPlaceBack()
    {
        CircuitWorld.Open(_a);
        _world.Advance(5);
        (await RunAsync(status: null)).ShouldBe(["a"]);
        _a.State.ShouldBe(CircuitState.HalfOpen);
        _a.TryProbe().ShouldNotBeNull();
    }

    [Fact]
    public async Task Invoke_ProbeThrows_GivesItsPlaceBack()
    {
        CircuitWorld.Open(_a);
        _world.Advance(5);
        var middleware = new CircuitBreakerMiddleware(
            _ => throw new InvalidOperationException("the gateway's own fault"), _attempts);
        await Should.ThrowAsync<InvalidOperationException>(() => middleware.InvokeAsync(_context));
        _a.State.ShouldBe(CircuitState.HalfOpen);
        _a.TryProbe().ShouldNotBeNull();
    }

    [Fact]
    public async Task Invoke_SessionsStick_TheProbeIsOneOfTheChoicesAndAnotherOneTakenDecidesNothing()
    {
        SetSticky(true);
        CircuitWorld.Open(_a);
        _world.Advance(5);

        (await RunAsync(200, destination: "b")).ShouldBe(["b", "a"]);

        _a.State.ShouldBe(CircuitState.HalfOpen);
        _a.TryProbe().ShouldNotBeNull();
        _b.Look().Counts.Succeeded.ShouldBe(1);
    }

    [Fact]
    public async Task Invoke_AllOpenAfterAnAttemptInDoubt_LeavesTheAnswerToThatOne()
    {
        CircuitWorld.Open(_a);
        CircuitWorld.Open(_b);
        _request.Attempts.MayBeApplied = true;
        (await RunAsync(200)).ShouldBeNull();
        _context.Response.StatusCode.ShouldBe(200);
        _context.Response.Headers.ShouldBeEmpty();
    }

    private void SetSticky(bool isSticky) => _proxy.Cluster = new ClusterModel(
        new ClusterConfig { ClusterId = "orders", SessionAffinity = new SessionAffinityConfig { Enabled = isSticky } },
        new HttpMessageInvoker(new HttpClientHandler()));

    /// <summary>Runs one attempt. The choice that was left to it; null when it did not get that far.</summary>
    /// <param name="status">The service's answer; null when the attempt is refused before it begins.</param>
    /// <param name="destination">Where it goes.</param>
    private async Task<string[]?> RunAsync(int? status, string destination = "a")
    {
        string[]? choice = null;
        var middleware = new CircuitBreakerMiddleware(
            context =>
            {
                choice = [.. _proxy.AvailableDestinations.Select(d => d.DestinationId)];
                _proxy.ProxiedDestination = _proxy.AvailableDestinations.FirstOrDefault(
                    d => d.DestinationId == destination);
                if (status is not null)
                {
                    _attempts.Begin(context, _request);
                    context.Response.StatusCode = status.Value;
                }

                return Task.CompletedTask;
            },
            _attempts);
        await middleware.InvokeAsync(_context);
        _attempts.End(_context, _request);
        return choice;
    }
}
