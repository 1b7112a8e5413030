using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Nginx;

/// <summary>
/// The link between the gateway and its service fails in the middle of a write, and heals after a newer one was let go:
/// what the kernel still had of the older write does not arrive any more.
/// </summary>
public sealed class LostLinkTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LinkFailsDuringAWrite_NothingOfItIsDeliveredOnceNewerOnesGo(bool gatewayIsKilled)
    {
        await using var far = await NetworkNamespace.CreateAsync();
        await using var nginx = await NginxServer.StartAsync(far);
        using var files = new GatewayFiles(nginx.Address, json =>
        {
            GatewayFiles.PolicyOf(json)["WriteTimeout"] = "00:00:02";
            GatewayFiles.PolicyOf(json)["InDoubtHold"] = "00:00:03";
        });
        var options = new GatewayProcessOptions { ConfigFile = files.ConfigFile };
        var gateway = await GatewayProcess.StartAsync(options);
        var before = far.Established;
        await using var client = await RawHttpClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawHttpClient.Head(
            "PUT /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 33", "Transfer-Encoding: chunked"));
        await client.SendChunkAsync("old, ");
        await Eventually.IsSoAsync(
            () => far.Established > before && far.Undelivered == 0, "the first half at the service");

        await far.SetLinkAsync(isUp: false);
        await client.SendAsync("a\r\nand so on.\r\n0\r\n\r\n");
        await Eventually.IsSoAsync(() => far.Undelivered > 0, "the rest in the kernel");
        if (gatewayIsKilled)
        {
            await gateway.DisposeAsync();
            gateway = await GatewayProcess.StartAsync(options);
        }
        else
        {
            (await client.ReadResponseAsync()).Status.ShouldBe(504);
        }

        await using var running = gateway;
        await Eventually.IsSoAsync(
            async () => (await PutAsync(gateway)).Status == 504, "the newer write to be let go, and to find no way");
        far.Undelivered.ShouldBe(0);

        await far.SetLinkAsync(isUp: true);
        await Eventually.IsSoAsync(
            async () => (await PutAsync(gateway)).Status is 201 or 204, "the newer write at the service");
        (await File.ReadAllTextAsync(Path.Combine(nginx.Root, "orders", "1"))).ShouldBe("new");
    }

    private static Task<RawHttpResponse> PutAsync(GatewayProcess gateway) => RawHttpClient.ExchangeAsync(
        gateway.Port,
        RawHttpClient.Head("PUT /orders/1 HTTP/1.1", "Host: test", "Fencing-Token: 34", "Content-Length: 3") + "new");
}
