using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.Gateway.Tests.Resilience.Bulkheads;

/// <summary>A request's places, and what its attempts tell its bulkheads.</summary>
public sealed class HeldPlacesTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly FencesForTests _fences;
    private readonly Bulkhead _route;
    private readonly Bulkhead _cluster;
    private readonly ResourceBulkheads _resources;

    public HeldPlacesTests()
    {
        _fences = new FencesForTests(_time);
        _route = New(BulkheadScope.Route);
        _cluster = New(BulkheadScope.Cluster);
        _resources = new ResourceBulkheads(
            "orders", new ResourceBulkheadPolicy(2, 2, TimeSpan.FromSeconds(1)), _fences.Waiters, _time);
    }

    [Fact]
    public void Release_Twice_GivesEachPlaceBackOnce()
    {
        var places = Take();

        places.Release();
        places.Release();

        (_route.InUse, _cluster.InUse, _resources.CountAll().InUse).ShouldBe((0, 0, 0));
    }

    [Fact]
    public async Task ForwardingMiddleware_WhatItStandsAroundThrows_PlacesAreGivenBack()
    {
        await using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var request = new GatewayRequest { CorrelationId = "a", CorrelationHeader = "X-Correlation-Id" };
        var context = new DefaultHttpContext();
        context.Features.Set(request);
        var middleware = new ForwardingMiddleware(
            _ =>
            {
                request.Places = Take();
                throw new InvalidOperationException("a fault");
            },
            new Attempts(new ForwardDeadline.Pool(_time), _time),
            new FencingMetrics(services.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>(), _fences.Table),
            _time,
            NullLogger<ForwardingMiddleware>.Instance);

        await Should.ThrowAsync<InvalidOperationException>(middleware.InvokeAsync(context));

        (_route.InUse, _cluster.InUse, _resources.CountAll().InUse).ShouldBe((0, 0, 0));
    }

    [Theory]
    [InlineData(AttemptFault.None, 200, true)]
    [InlineData(AttemptFault.None, 500, true)]
    [InlineData(AttemptFault.None, 503, false)]
    [InlineData(AttemptFault.None, 101, false)]
    [InlineData(AttemptFault.TimedOut, 0, false)]
    [InlineData(AttemptFault.Client, 0, false)]
    [InlineData(AttemptFault.SlowClient, 0, false)]
    [InlineData(AttemptFault.Shortage, 0, false)]
    [InlineData(AttemptFault.Gateway, 0, false)]
    [InlineData(AttemptFault.Unreachable, 0, false)]
    internal void Sample_OnlyWhatTheServiceDid_LetsAdaptiveLimitsGrow(AttemptFault fault, int status, bool grows)
    {
        _route.TryEnter();
        var bulkheads = new RouteBulkheads(null, _route, _cluster);
        for (var i = 0; i < 1_000; i++)
        {
            bulkheads.Sample(new AttemptResult(ForwardEnd.Answered, fault, status, TimeSpan.FromMilliseconds(1)));
        }

        (_route.Limit > 1).ShouldBe(grows);
    }

    [Theory]
    [InlineData(AttemptFault.None, 9)]
    [InlineData(AttemptFault.SlowClient, 0)]
    [InlineData(AttemptFault.Shortage, 0)]
    internal void Sample_SlowClientsAndAShortageHere_LeaveAdaptiveLimitsAlone(AttemptFault fault, int clientSeconds)
    {
        _route.TryEnter();
        var bulkheads = new RouteBulkheads(null, _route, _cluster);
        var quick = new AttemptResult(ForwardEnd.Answered, AttemptFault.None, 200, TimeSpan.FromMilliseconds(1));
        var waited = TimeSpan.FromSeconds(clientSeconds);
        for (var i = 0; i < 1_000; i++)
        {
            bulkheads.Sample(quick);
        }

        var before = _route.Limit;
        for (var i = 0; i < 1_000; i++)
        {
            bulkheads.Sample(quick with { Fault = fault, Duration = quick.Duration + waited, ClientTime = waited });
        }

        _route.Limit.ShouldBeGreaterThanOrEqualTo(before);
    }

    private HeldPlaces Take()
    {
        var places = default(HeldPlaces);
        _resources.TryEnter("orders/1", null, 33, out var resource).ShouldBeTrue();
        _route.TryEnter().ShouldBeTrue();
        _cluster.TryEnter().ShouldBeTrue();
        places.Keep(resource!, 33);
        places.Keep(_route);
        places.Keep(_cluster);
        return places;
    }

    private Bulkhead New(BulkheadScope scope) => new(
        new BulkheadName(scope, "orders"),
        new BulkheadPolicy(1, 0, TimeSpan.FromSeconds(1), null, new AdaptiveLimitPolicy(1, 10)),
        _fences.Waiters,
        _time);
}
