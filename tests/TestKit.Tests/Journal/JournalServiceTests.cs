using System.Net;

namespace FenceGateway.TestKit.Tests.Journal;

public sealed class JournalServiceTests : IAsyncLifetime
{
    private JournalService _service = null!;

    public async ValueTask InitializeAsync() => _service = await JournalService.StartAsync();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task Hold_UntilReleased_EndsOnlyThen()
    {
        _service.Script = _ => ServiceAction.Hold;
        var answering = Put("5");
        var arrival = await _service.NextArrivalAsync();

        arrival.Entry.Result.ShouldBe(JournalResult.Pending);
        arrival.Entry.Ended.ShouldBeNull();
        answering.IsCompleted.ShouldBeFalse();
        arrival.Release(201, "done");

        (await answering).Status.ShouldBe(201);
        arrival.Entry.Result.ShouldBe(JournalResult.Applied);
        arrival.Entry.AppliedAt!.Value.ShouldBeGreaterThan(arrival.Entry.Started);
        arrival.Entry.Ended!.Value.ShouldBeGreaterThan(arrival.Entry.AppliedAt.Value);
    }

    [Fact]
    public async Task Hold_ClientGoneBeforeTheRelease_IsAppliedLate()
    {
        _service.Script = _ => ServiceAction.Hold;
        var client = await RawHttpClient.ConnectAsync(_service.Port);
        await client.SendAsync(PutRequest("5"));
        var arrival = await _service.NextArrivalAsync();
        await arrival.WaitForBodyAsync(1);
        client.Abort();
        await arrival.WaitForClientGoneAsync();

        arrival.Release();
        await arrival.WaitForEndAsync();

        arrival.Entry.Result.ShouldBe(JournalResult.Applied);
    }

    [Fact]
    public async Task Hold_AppliedThenReset_StaysApplied()
    {
        _service.Script = _ => ServiceAction.Hold;
        await using var client = await RawHttpClient.ConnectAsync(_service.Port);
        await client.SendAsync(PutRequest("5"));
        var arrival = await _service.NextArrivalAsync();

        arrival.Apply();
        arrival.Reset();
        await client.WaitForCloseAsync();

        arrival.Entry.Result.ShouldBe(JournalResult.Applied);
        arrival.Entry.Status.ShouldBeNull();
    }

    [Fact]
    public async Task SendPart_AnswerStillOpen_ReachesTheClient()
    {
        _service.Script = _ => ServiceAction.Hold;
        await using var client = await RawHttpClient.ConnectAsync(_service.Port);
        await client.SendAsync(PutRequest("5"));
        var arrival = await _service.NextArrivalAsync();

        arrival.SendPart("first", 202);
        (await client.ReadUntilAsync("first")).ShouldStartWith("HTTP/1.1 202");
        arrival.Entry.Ended.ShouldBeNull();
        arrival.Release(body: "last");

        _ = await client.ReadUntilAsync("last");
        arrival.Entry.Status.ShouldBe(202);
    }

    [Fact]
    public async Task AnswerEarly_BodyNeverSent_Answers()
    {
        _service.Script = _ => ServiceAction.AnswerEarly(413);
        await using var client = await RawHttpClient.ConnectAsync(_service.Port);
        await client.SendHeadAsync("PUT / HTTP/1.1", "Host: x", "Content-Length: 100");

        (await client.ReadResponseAsync()).Status.ShouldBe(413);
        _service.Entries[0].Result.ShouldBe(JournalResult.Refused);
    }

    [Theory]
    [InlineData(true, JournalResult.Applied)]
    [InlineData(false, JournalResult.Aborted)]
    public async Task Reset_Scripted_ClosesWithoutAnAnswer(bool applied, JournalResult result)
    {
        _service.Script = _ => ServiceAction.Reset(applied);
        await using var client = await RawHttpClient.ConnectAsync(_service.Port);
        await client.SendAsync(PutRequest("5"));

        await client.WaitForCloseAsync();

        _service.Entries[0].Result.ShouldBe(result);
    }

    [Fact]
    public async Task Body_CutOff_IsNotApplied()
    {
        var client = await RawHttpClient.ConnectAsync(_service.Port);
        await client.SendHeadAsync("PUT / HTTP/1.1", "Host: x", "Content-Length: 100");
        await client.SendAsync("half");
        var arrival = await _service.NextArrivalAsync();
        await arrival.WaitForBodyAsync(4);

        client.Abort();
        await arrival.WaitForEndAsync();

        arrival.Entry.Result.ShouldBe(JournalResult.Aborted);
    }

    [Fact]
    public async Task Release_RequestNotHeld_Throws()
    {
        _ = await Put("5");
        var arrival = await _service.NextArrivalAsync();

        _ = Should.Throw<InvalidOperationException>(() => arrival.Release());
    }

    [Fact]
    public async Task Http2Port_Http2Request_IsJournaled()
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Put, new Uri(_service.Http2Address, "a"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new StringContent("x"),
        };

        using var response = await client.SendAsync(request);

        response.StatusCode.ShouldBe(HttpStatusCode.OK);
        _service.Entries[0].Protocol.ShouldBe("HTTP/2");
    }

    [Theory]
    [InlineData("5", 5L)]
    [InlineData("-5", null)]
    [InlineData("5, 6", null)]
    public async Task Token_AsReceived_IsJournaled(string header, long? token)
    {
        _ = await Put(header);

        _service.Entries[0].Token.ShouldBe(token);
    }

    [Fact]
    public async Task Writes_RecordingClient_MakeACorrectHistory()
    {
        using var client = new RecordingClient(_service.Clock);

        _ = await client.SendAsync(_service.Address, HttpMethod.Put, "/a", 33);
        _ = await client.SendAsync(_service.Address, HttpMethod.Get, "/a", 34);
        _ = await client.SendAsync(new Uri($"http://127.0.0.1:{FreePorts.Next()}/"), HttpMethod.Put, "/a", 36);

        client.Answers.Select(a => a.Status).ShouldBe([200, 200, null]);
        _service.Writes.ShouldHaveSingleItem().RequestId.ShouldBe("1");
        HistoryChecker.Check(_service.Writes, client.Answers).ShouldBeEmpty();
        _ = await client.SendAsync(_service.Address, HttpMethod.Put, "/a", 32);
        HistoryChecker.Check(_service.Writes, client.Answers).Select(v => v.Rule).ShouldBe(["I1", "I2"]);
    }

    private Task<RawHttpResponse> Put(string token) => RawHttpClient.ExchangeAsync(_service.Port, PutRequest(token));

    private static string PutRequest(string token) =>
        RawHttpClient.Head("PUT /a HTTP/1.1", "Host: x", $"Fencing-Token: {token}", "Content-Length: 1") + "x";
}
