using System.Net.Sockets;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Overload;

/// <summary>What one client may take up: connections, time, header and body.</summary>
public sealed class ClientLimitTests
{
    [Fact]
    public async Task Connection_AboveTheLimit_IsClosedAtOnce()
    {
        await using var gateway = await FencedGateway.StartAsync(new GatewaySetup { Gateway = """ "Limits": { "MaxConnections": 2 } """ });
        await using var first = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await using var second = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        (await GetAsync(first)).ShouldBe(200);
        (await GetAsync(second)).ShouldBe(200);

        await using var third = await RawHttpClient.ConnectAsync(gateway.Address.Port);
        await third.WaitForCloseAsync();

        (await GetAsync(first)).ShouldBe(200);
        (await gateway.AdminGetAsync("/readyz")).Status.ShouldBe(200);
    }

    /// <summary>A process that runs out of descriptors is ended by .NET.</summary>
    [Fact]
    public async Task Connections_MoreThanTheProcessHasDescriptorsFor_AreClosedAndTheGatewayGoesOn()
    {
        await using var service = await JournalService.StartAsync();
        using var files = new GatewayFiles(service.Address);
        await using var gateway = await GatewayProcess.StartAsync(new GatewayProcessOptions
        {
            ConfigFile = files.ConfigFile,
            Through = ["bash", "-c", "ulimit -n 400; exec \"$@\"", "bash"],
        });
        gateway.Log.ShouldContain(
            line => line.GetProperty("message").GetString()!.StartsWith("The process may open 400 files"));
        List<RawHttpClient> clients = [];
        try
        {
            for (var i = 0; i < 500; i++)
            {
                try
                {
                    clients.Add(await RawHttpClient.ConnectAsync(gateway.Port));
                }
                catch (SocketException)
                {
                    // Closed before the client knew that it was open.
                }
            }

            using var admin = FencedGateway.NewClient(gateway.AdminAddress);
            using var ready = await admin.GetAsync("readyz");
            ready.IsSuccessStatusCode.ShouldBeTrue();
            await clients[0].SendAsync(
                RawHttpClient.Head("PUT /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33", "Content-Length: 0"));
            (await clients[0].ReadResponseAsync()).Status.ShouldBe(200);
        }
        finally
        {
            foreach (var client in clients)
            {
                await client.DisposeAsync();
            }
        }

        gateway.HasExited.ShouldBeFalse();
    }

    [Fact]
    public async Task Process_WithHardlyAnyDescriptors_SaysWhatItNeeds()
    {
        using var files = new GatewayFiles(new Uri("http://127.0.0.1:9/"));
        await using var gateway = GatewayProcess.Launch(new GatewayProcessOptions
        {
            ConfigFile = files.ConfigFile,
            Through = ["bash", "-c", "ulimit -n 300; exec \"$@\"", "bash"],
        });

        (await gateway.WaitForExitAsync()).ShouldBe(1);
        gateway.Errors.ShouldHaveSingleItem().ShouldContain("may open 300 files and needs 320");
    }

    [Fact]
    public async Task Head_ThatNeverEnds_IsCutOff()
    {
        await using var gateway = await FencedGateway.StartAsync(Limits(""" "RequestHeadersTimeout": "00:00:01" """));
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);

        await client.SendAsync("GET /open/1 HTTP/1.1\r\nHost: test\r\nX-Slow: ");

        (await client.ReadResponseAsync()).Status.ShouldBe(408);
        gateway.Service.Entries.ShouldBeEmpty();
    }

    [Fact]
    public async Task Body_ThatComesTooSlowly_IsCutOff()
    {
        await using var gateway = await FencedGateway.StartAsync(
            Limits(""" "MinRequestBodyDataRate": { "BytesPerSecond": 10000, "GracePeriod": "00:00:01.1" } """));
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);

        await client.SendAsync(
            RawHttpClient.Head("PUT /open/1 HTTP/1.1", "Host: test", "Content-Length: 100000") + "x");

        (await client.ReadResponseAsync()).Status.ShouldBe(408);
        await client.WaitForCloseAsync();
    }

    [Fact]
    public async Task Answer_ThatIsNotRead_IsCutOff()
    {
        await using var gateway = await FencedGateway.StartAsync(
            Limits(""" "MinResponseDataRate": { "BytesPerSecond": 1000000, "GracePeriod": "00:00:01.1" } """));
        gateway.Service.Script = _ => ServiceAction.Apply(body: new string('x', 20_000_000));
        await using var client = await RawHttpClient.ConnectAsync(gateway.Address.Port);

        await client.SendAsync(RawHttpClient.Head(
            "GET /open/1 HTTP/1.1", "Host: test", $"{JournalService.RequestIdHeader}: slow"));

        await gateway.WaitForClientGoneAsync("slow");
    }

    [Theory]
    [InlineData("X-Big")]
    [InlineData("Many")]
    public async Task Head_ThatIsTooLarge_Is431(string kind)
    {
        await using var gateway = await FencedGateway.StartAsync();
        string[] headers = kind == "Many"
            ? [.. Enumerable.Range(0, 101).Select(i => $"X-{i}: 1")]
            : [$"X-Big: {new string('x', 33_000)}"];

        var answer = await RawHttpClient.ExchangeAsync(
            gateway.Address.Port, RawHttpClient.Head("GET /open/1 HTTP/1.1", ["Host: test", .. headers]));

        answer.Status.ShouldBe(431);
        gateway.Service.Entries.ShouldBeEmpty();
    }

    [Fact]
    public async Task Body_ThatIsTooLarge_Is413AndLeavesNothingInDoubt()
    {
        await using var gateway = await FencedGateway.StartAsync(Limits(""" "MaxRequestBodySize": 1000 """));

        foreach (var (path, token) in new[] { ("/open/1", ""), ("/orders/1", "Fencing-Token: 1\r\n") })
        {
            var answer = await RawHttpClient.ExchangeAsync(
                gateway.Address.Port, $"PUT {path} HTTP/1.1\r\nHost: test\r\n{token}Content-Length: 1001\r\n\r\n");
            answer.Status.ShouldBe(413);
        }

        (await gateway.PutAsync(2)).ShouldBeServices(200);
    }

    private static GatewaySetup Limits(string limits) => new() { Root = $$""" "Kestrel": { "Limits": { {{limits}} } } """ };

    private static async Task<int> GetAsync(RawHttpClient client)
    {
        await client.SendAsync(RawHttpClient.Head("GET /open/1 HTTP/1.1", "Host: test"));
        return (await client.ReadResponseAsync()).Status;
    }
}
