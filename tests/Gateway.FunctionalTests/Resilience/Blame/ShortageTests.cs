using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;
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

    /// <summary>Without a stand-in: the process has no descriptor left for a connection to the service.</summary>
    [Fact]
    public async Task ProcessWithoutADescriptorLeft_503OfTheGatewaysOwn_AndGoesOnWhenItHasSome()
    {
        await using var service = await JournalService.StartAsync();
        using var files = new GatewayFiles(service.Address, json =>
        {
            json["ReverseProxy"]!["Routes"]!["orders"]!["Metadata"]!["ResiliencePolicy"] = "guarded";
            json["FenceGateway"]!["ResiliencePolicies"] = new JsonObject
            {
                ["guarded"] = new JsonObject { ["CircuitBreaker"] = new JsonObject { ["MinimumThroughput"] = 2 } },
            };
        });
        await using var gateway = await GatewayProcess.StartAsync(
            new GatewayProcessOptions { ConfigFile = files.ConfigFile });
        await using var client = await RawHttpClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawHttpClient.Head("GET /nowhere HTTP/1.1", "Host: test"));
        (await client.ReadResponseAsync()).Status.ShouldBe(404);

        await LimitDescriptorsAsync(gateway.Id, FreeDescriptor(gateway.Id));
        for (var i = 0; i < 5; i++)
        {
            var answer = await PutAsync(client, 33);
            answer.Status.ShouldBe(503);
            answer.Text.ShouldContain("overloaded");
            answer.Text.ShouldContain("Nothing was sent");
        }

        gateway.HasExited.ShouldBeFalse();
        service.Writes.ShouldBeEmpty();
        await LimitDescriptorsAsync(gateway.Id, 4096);
        (await PutAsync(client, 34)).Status.ShouldBe(200);
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

    private static async Task<RawHttpResponse> PutAsync(RawHttpClient client, long token)
    {
        await client.SendAsync(RawHttpClient.Head(
            "PUT /orders/1 HTTP/1.1", "Host: test", $"Fencing-Token: {token}", "Content-Length: 0"));
        return await client.ReadResponseAsync();
    }

    /// <summary>The number of the descriptor that the process gets next.</summary>
    private static int FreeDescriptor(int process)
    {
        var open = Directory.GetFiles($"/proc/{process}/fd")
            .Select(path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture)).ToHashSet();
        return Enumerable.Range(0, open.Count + 1).First(number => !open.Contains(number));
    }

    private static async Task LimitDescriptorsAsync(int process, int limit)
    {
        await using var prlimit = ChildProcess.Start(
            "prlimit", [string.Create(CultureInfo.InvariantCulture, $"--pid={process}"),
                string.Create(CultureInfo.InvariantCulture, $"--nofile={limit}:")]);
        (await prlimit.WaitForExitAsync()).ShouldBe(0, prlimit.Tail());
    }
}
