using System.Net;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.Gateway.FunctionalTests.Resilience;
using FenceGateway.TestKit;
using Microsoft.Extensions.DependencyInjection;

namespace FenceGateway.Gateway.FunctionalTests.Forwarding;

/// <summary>A destination that is a name with several addresses, not all of which take connections.</summary>
public sealed class AddressTests
{
    private static readonly IPAddress Second = IPAddress.Parse("127.0.0.2");
    private static readonly TimeSpan Connect = TimeSpan.FromSeconds(2);

    [Fact]
    public async Task FirstAddressIsSilent_TheNextServes_WithinTheTimeToConnect()
    {
        using var silent = new FullListener();
        await using var gateway = await StartAsync(silent.Address.Port, IPAddress.Loopback, Second);
        await using var alive = new TcpProxy(gateway.Service.Port, new IPEndPoint(Second, silent.Address.Port));
        var answering = gateway.PutAsync(33);
        await gateway.Clock.WaitForTimerAsync(AddressRace.Turn);

        gateway.Clock.Advance(AddressRace.Turn);

        (await answering).ShouldBeServices(200);
        gateway.Service.Entries.Count.ShouldBe(1);
    }

    [Fact]
    public async Task AllAddressesAreSilent_504AndNothingWasSent()
    {
        using var silent = new FullListener();
        await using var gateway = await StartAsync(silent.Address.Port, IPAddress.Loopback, IPAddress.Loopback);
        var answering = gateway.PutAsync(33);
        await gateway.Clock.WaitForTimerAsync(AddressRace.Turn);

        var answer = await gateway.MoveOnUntilAsync(answering);

        answer.ShouldBeProblem(504, "upstream-timeout");
        answer.Text.ShouldContain("nothing was sent");
    }

    [Fact]
    public async Task ResolverIsSilent_504WithinTheTimeToConnect()
    {
        await using var gateway = await StartAsync(80);
        gateway.Services.GetRequiredService<ConnectTimeout>().Resolve =
            (_, _) => new TaskCompletionSource<IPAddress[]>().Task;
        var answering = gateway.PutAsync(33);
        await gateway.Clock.WaitForTimerAsync(Connect);

        gateway.Clock.Advance(Connect);

        (await answering).ShouldBeProblem(504, "upstream-timeout");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task NameGetsAnotherAddress_IsFollowed_AndWhatIsInFlightEndsWhereItIs(bool http2)
    {
        var setup = new GatewaySetup
        {
            Cluster = $$"""
                "Metadata": { "ConnectionLifetime": "00:00:01" },
                "HttpRequest": { "Version": "{{(http2 ? "2" : "1.1")}}", "VersionPolicy": "RequestVersionExact" }
                """,
        };
        int Port(JournalService service) => http2 ? service.Http2Port : service.Port;
        await using var gateway = await FencedGateway.StartAsync(
            setup, service => new Uri($"http://service.test:{Port(service)}/"));
        await using var moved = new TcpProxy(Port(gateway.Service), new IPEndPoint(Second, Port(gateway.Service)));
        var connects = gateway.Services.GetRequiredService<ConnectTimeout>();
        connects.Resolve = (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback]);
        gateway.Hold(33);
        var (answering, held) = await gateway.PutHeldAsync(33);
        moved.Connections.ShouldBe(0);

        connects.Resolve = (_, _) => Task.FromResult<IPAddress[]>([Second]);
        await Eventually.IsSoAsync(
            async () =>
            {
                (await gateway.GetAsync(null, "/open/1")).ShouldBeServices(200);
                return moved.Connections > 0;
            },
            "a request to go to the new address");

        held.Release();
        (await answering).ShouldBeServices(200);
        gateway.Service.Entries.Count(entry => entry.IsWrite).ShouldBe(1);
    }

    private static async Task<FencedGateway> StartAsync(int port, params IPAddress[] addresses)
    {
        var gateway = await FencedGateway.StartAsync(
            ResilientSetup.With($$""" "Timeouts": { "Connect": "{{Connect}}" } """),
            _ => new Uri($"http://service.test:{port}/"));
        gateway.Services.GetRequiredService<ConnectTimeout>().Resolve = (_, _) => Task.FromResult(addresses);
        return gateway;
    }
}
