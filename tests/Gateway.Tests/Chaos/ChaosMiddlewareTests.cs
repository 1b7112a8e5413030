using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Tests.Chaos;

public sealed class ChaosMiddlewareTests : IDisposable
{
    private readonly ChaosContext _chaos = new();
    private int _forwarded;

    [Theory]
    [InlineData("Reset", "InDoubt", "Broken")]
    [InlineData("ConnectionRefused", "NotSent", "Unreachable")]
    public async Task InvokeAsync_Fault_LooksLikeTheForwardersOwn(string fault, string end, string of)
    {
        var context = await RunAsync($$""" "Fault": "{{fault}}" """);

        var failure = context.Features.Get<IForwarderErrorFeature>().ShouldNotBeNull();
        var result = AttemptResult.OfFailure(
            failure.Error, failure.Exception, AttemptFault.None, hasLeft: true, 0, TimeSpan.Zero);
        (result.End.ToString(), result.Fault.ToString()).ShouldBe((end, of));
        context.Response.StatusCode.ShouldBe(502);
        ShouldBeClaimed(context);
    }

    [Fact]
    public async Task InvokeAsync_Outcome_LooksLikeTheServicesAnswer()
    {
        var context = await RunAsync(""" "Outcome": 503 """);

        context.Features.Get<IForwarderErrorFeature>().ShouldBeNull();
        context.Response.StatusCode.ShouldBe(503);
        var attempts = context.Features.Get<GatewayRequest>()!.Attempts;
        (attempts.Status, attempts.IsWhole).ShouldBe((503, true));
        ShouldBeClaimed(context);
    }

    [Fact]
    public async Task InvokeAsync_NoDestination_IsTheForwardersAffair()
    {
        var middleware = await _chaos.MiddlewareAsync(Forward, """ "Outcome": 503 """);
        var context = ChaosContext.Request();
        context.GetReverseProxyFeature().AvailableDestinations = [];

        await middleware.InvokeAsync(context);

        _forwarded.ShouldBe(1);
    }

    [Fact]
    public async Task InvokeAsync_RequestWithoutTheHeader_IsForwarded()
    {
        var middleware = await _chaos.MiddlewareAsync(Forward, """ "Outcome": 503, "Header": "X-Chaos" """);

        await middleware.InvokeAsync(ChaosContext.Request());

        _forwarded.ShouldBe(1);
    }

    public void Dispose() => _chaos.Dispose();

    private async Task<HttpContext> RunAsync(string rule)
    {
        var middleware = await _chaos.MiddlewareAsync(Forward, rule);
        var context = ChaosContext.Request();
        await middleware.InvokeAsync(context);
        _forwarded.ShouldBe(0);
        return context;
    }

    private Task Forward(HttpContext context)
    {
        _forwarded++;
        return Task.CompletedTask;
    }

    /// <summary>Passive health checks, circuits and retries ask for the destination that it was.</summary>
    private static void ShouldBeClaimed(HttpContext context) =>
        context.GetReverseProxyFeature().ProxiedDestination.ShouldNotBeNull().DestinationId.ShouldBe("a");
}
