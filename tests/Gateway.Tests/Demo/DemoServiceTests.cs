using System.Net;
using FenceGateway.Gateway.Demo;

namespace FenceGateway.Gateway.Tests.Demo;

public sealed class DemoServiceTests : IAsyncLifetime
{
    private readonly DemoPorts _ports = DemoPorts
        .Find(new DemoArguments(Once: true, 0, 0, 0, NoColor: true, [])).Ports!;
    private readonly HttpClient _client = new();
    private DemoService _service = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        _service = await DemoService.StartAsync(_ports.Service, TimeProvider.System, Token);

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return _service.DisposeAsync();
    }

    [Fact]
    public async Task Put_WithToken_StoresAndShowsIt()
    {
        (await PutAsync("1", "33", "first")).ShouldBe(
            "{\"order\":\"1\",\"value\":\"first\",\"writtenWithToken\":\"33\"}");

        (await _client.GetStringAsync(Url("1"), Token)).ShouldContain("\"value\":\"first\"");
    }

    [Fact]
    public async Task Put_OlderToken_IsStoredAllTheSame()
    {
        await PutAsync("1", "34", "newer");
        await PutAsync("1", "33", "older");

        (await _client.GetStringAsync(Url("1"), Token)).ShouldContain("older");
    }

    [Fact]
    public async Task Put_NoToken_ShowsNone() =>
        (await PutAsync("1", null, "x")).ShouldContain("\"writtenWithToken\":null");

    [Fact]
    public async Task Get_UnknownOrder_IsNotFound() =>
        (await _client.GetAsync(Url("none"), Token)).StatusCode.ShouldBe(HttpStatusCode.NotFound);

    [Fact]
    public async Task Put_Hold_IsSeenAtOnceAndEndsLater()
    {
        var put = PutAsync("1?hold=0.2", "33", "slow");
        var write = await _service.Writes.ReadAsync(Token);

        await put;

        write.Token.ShouldBe("33");
        var taken = TimeProvider.System.GetElapsedTime(write.Arrived, await write.Ended);
        taken.ShouldBeGreaterThanOrEqualTo(TimeSpan.FromSeconds(0.15));
    }

    [Theory]
    [InlineData("NaN")]
    [InlineData("-1")]
    [InlineData("soon")]
    public async Task Put_HoldThatIsNone_IsNotHeld(string hold) =>
        (await PutAsync($"1?hold={hold}", "33", "x")).ShouldContain("\"value\":\"x\"");

    [Fact]
    public async Task Put_BodyTooLarge_IsRefused()
    {
        using var content = new StringContent(new string('x', 5000));
        using var response = await _client.PutAsync(Url("1"), content, Token);

        response.StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
    }

    private string Url(string order) => $"{_ports.ServiceUrl}/orders/{order}";

    private async Task<string> PutAsync(string order, string? token, string value)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, Url(order)) { Content = new StringContent(value) };
        if (token is not null)
        {
            request.Headers.Add("Fencing-Token", token);
        }

        using var response = await _client.SendAsync(request, Token);
        response.StatusCode.ShouldBe(HttpStatusCode.OK);
        return await response.Content.ReadAsStringAsync(Token);
    }
}
