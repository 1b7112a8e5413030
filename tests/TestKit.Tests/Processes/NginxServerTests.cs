namespace FenceGateway.TestKit.Tests.Processes;

public sealed class NginxServerTests
{
    [Fact]
    public async Task Dav_PutMoveDelete_ChangesTheFiles()
    {
        await using var nginx = await NginxServer.StartAsync();

        (await Send("PUT /orders/42 HTTP/1.1", ["Content-Length: 5"], "hello")).ShouldBe(201);
        (await File.ReadAllTextAsync(Path.Combine(nginx.Root, "orders", "42"))).ShouldBe("hello");

        (await Send("MOVE /orders/42 HTTP/1.1", [$"Destination: {nginx.Address}orders/43"])).ShouldBe(204);
        File.Exists(Path.Combine(nginx.Root, "orders", "43")).ShouldBeTrue();

        (await Send("DELETE /orders/43 HTTP/1.1", [])).ShouldBe(204);
        Directory.GetFiles(Path.Combine(nginx.Root, "orders")).ShouldBeEmpty();

        async Task<int> Send(string line, string[] headers, string body = "") => (await RawHttpClient.ExchangeAsync(
            nginx.Port, RawHttpClient.Head(line, [$"Host: 127.0.0.1:{nginx.Port}", .. headers]) + body)).Status;
    }

    [Fact]
    public async Task DisposeAsync_Running_LeavesNothingBehind()
    {
        var nginx = await NginxServer.StartAsync();

        await nginx.DisposeAsync();

        Directory.Exists(nginx.Root).ShouldBeFalse();
        _ = await Should.ThrowAsync<System.Net.Sockets.SocketException>(() => RawHttpClient.ConnectAsync(nginx.Port));
    }
}
