using System.Net;
using System.Net.Sockets;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.FunctionalTests.Fence;
using Microsoft.Extensions.DependencyInjection;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.Blame;

/// <summary>What the gateway itself has run out of is no fault of the service's, and nothing was sent.</summary>
public sealed class ShortageTests
{
    private const string Passive = """
        , "HealthCheck": { "Passive": { "Enabled": true, "ReactivationPeriod": "00:10:00" } }
        """;

    [Theory]
    [InlineData(SocketError.TooManyOpenSockets)]
    [InlineData(SocketError.AddressNotAvailable)]
    [InlineData(SocketError.NoBufferSpaceAvailable)]
    [InlineData(SocketError.ProcessLimit)]
    [InlineData(SocketError.SocketError)]
    public async Task NothingToConnectWith_503OfTheGatewaysOwn_AndNobodyIsBlamed(SocketError shortage)
    {
        var setup = ResilientSetup.With(
            """ "CircuitBreaker": { "MinimumThroughput": 4 }, "Retry": { "MaxAttempts": 3 } """);
        await using var gateway = await FencedGateway.StartAsync(
            setup with { Cluster = setup.Cluster + Passive },
            service => new Uri($"http://service.test:{service.Port}/"));
        using var meters = new MeterRecorder(gateway);
        var connects = gateway.Services.GetRequiredService<ConnectTimeout>();
        connects.Resolve = (_, _) => Task.FromException<IPAddress[]>(new SocketException((int)shortage));

        for (var i = 0; i < 11; i++)
        {
            var answer = await gateway.PutAsync(33);
            answer.ShouldBeProblem(503, "overloaded");
            answer.RetryAfter.ShouldBe(1);
            answer.Text.ShouldContain("Nothing was sent");
        }

        meters.Of("fencegateway.circuit.attempts").Select(m => m.Tags["fencegateway.verdict"])
            .ShouldBe(Enumerable.Repeat("neutral", 11));
        gateway.Service.Entries.ShouldBeEmpty();
        (await gateway.AdminGetAsync("/admin/v1/resources/orders/1")).Json.GetProperty("inDoubt")
            .GetArrayLength().ShouldBe(0);

        // Neither a circuit nor YARP's health check keeps requests away.
        connects.Resolve = (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback]);
        (await gateway.PutAsync(34)).ShouldBeServices(200);
    }

    [Fact]
    public async Task ServiceRefuses_IsTheServices()
    {
        using var nobody = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        nobody.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await using var gateway = await FencedGateway.StartAsync(
            ResilientSetup.With(""" "CircuitBreaker": { } """), _ => new Uri($"http://{nobody.LocalEndPoint}/"));
        using var meters = new MeterRecorder(gateway);

        (await gateway.PutAsync(33)).ShouldBeProblem(502, "upstream-unreachable");

        meters.Of("fencegateway.circuit.attempts").Single().Tags["fencegateway.verdict"].ShouldBe("failed");
    }
}
