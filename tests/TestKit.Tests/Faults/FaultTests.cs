namespace FenceGateway.TestKit.Tests.Faults;

/// <summary>What each fault does to a connection, seen by a client that reads bytes.</summary>
public sealed class FaultTests : IAsyncLifetime
{
    private readonly FaultyService _service = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task None_TwoRequests_AreAppliedOnOneConnection()
    {
        await using var client = await RawHttpClient.ConnectAsync(_service.Port);

        await client.SendAsync(Put("a"));
        (await client.ReadResponseAsync()).Text.ShouldBe("done");
        await client.SendAsync(
            "PUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nT: "
                + "z\r\n\r\n");
        (await client.ReadResponseAsync()).Status.ShouldBe(200);

        var (first, second) = (_service.Entries[0], _service.Entries[1]);
        (first.Method, first.Resource, first.Token, first.RequestId).ShouldBe(("PUT", "/a", 33L, "id-a"));
        (first.BodyLength, first.Result, first.Status).ShouldBe((4L, JournalResult.Applied, 200));
        first.AppliedAt!.Value.ShouldBeInRange(first.Started, first.Ended!.Value);
        second.BodyLength.ShouldBe(3);
        _service.ConnectionCount.ShouldBe(1);
        _service.Writes.ShouldHaveSingleItem().RequestId.ShouldBe("id-a");
    }

    [Fact]
    public async Task NeverAnswers_PeerGivesUp_IsAppliedAndEnds()
    {
        _service.Script = _ => Fault.NeverAnswers;
        var client = await RawHttpClient.ConnectAsync(_service.Port);
        await client.SendAsync(Put("a"));
        var arrival = await _service.NextArrivalAsync();
        await arrival.WaitForBodyAsync();

        client.Abort();
        await arrival.WaitForEndAsync();

        (arrival.Entry.Result, arrival.Entry.Status).ShouldBe((JournalResult.Applied, null));
    }

    [Fact]
    public async Task ResetAfterHead_BodyComesLater_IsResetWithoutIt()
    {
        _service.Script = _ => Fault.ResetAfterHead;
        await using var client = await RawHttpClient.ConnectAsync(_service.Port);
        await client.SendHeadAsync("PUT /a HTTP/1.1", "Host: x", "Content-Length: 4");

        await ShouldBeResetAsync(client);

        (Only.BodyLength, Only.Result).ShouldBe((0L, JournalResult.Aborted));
    }

    [Fact]
    public async Task ResetAfterRequest_Put_IsAppliedAndReset()
    {
        await using var client = await SendAsync(Fault.ResetAfterRequest);

        await ShouldBeResetAsync(client);

        (Only.BodyLength, Only.Result, Only.Status).ShouldBe((4L, JournalResult.Applied, null));
    }

    [Fact]
    public async Task ClosedAfterRequest_Put_IsAppliedAndClosedOrderly()
    {
        await using var client = await SendAsync(Fault.ClosedAfterRequest);

        _ = await Should.ThrowAsync<EndOfStreamException>(() => client.ReadResponseAsync());

        Only.Result.ShouldBe(JournalResult.Applied);
    }

    [Fact]
    public async Task ResetInAnswer_Released_BreaksTheBody()
    {
        await using var client = await SendAsync(Fault.ResetInAnswer);
        (await client.ReadUntilAsync("half")).ShouldStartWith("HTTP/1.1 200");

        (await _service.NextArrivalAsync()).Release();

        await ShouldBeResetAsync(client);
    }

    [Fact]
    public async Task HalfAnswer_LessThanItsLength_IsIncomplete()
    {
        await using var client = await SendAsync(Fault.HalfAnswer);
        (await _service.NextArrivalAsync()).Release();

        var response = await client.ReadResponseAsync();

        (response.Status, response.Text, response.Complete).ShouldBe((200, "half", false));
    }

    [Fact]
    public async Task CutChunks_NoLastChunk_IsIncomplete()
    {
        await using var client = await SendAsync(Fault.CutChunks);
        (await _service.NextArrivalAsync()).Release();

        var response = await client.ReadResponseAsync();

        (response.Status, response.Text, response.Complete).ShouldBe((200, "half", false));
    }

    [Fact]
    public async Task EndlessChunks_PeerGivesUp_Ends()
    {
        var client = await SendAsync(Fault.EndlessChunks);
        (await client.ReadUntilAsync("half")).ShouldContain("chunked");

        client.Abort();

        await (await _service.NextArrivalAsync()).WaitForEndAsync();
    }

    [Theory]
    [MemberData(nameof(NotHttp))]
    public async Task AnswerThatIsNotHttp_Put_CannotBeRead(Fault fault)
    {
        await using var client = await SendAsync(fault);

        var failure = await Should.ThrowAsync<Exception>(() => client.ReadResponseAsync());

        (failure is EndOfStreamException or InvalidDataException).ShouldBeTrue(failure.ToString());
        Only.Result.ShouldBe(JournalResult.Applied);
    }

    [Fact]
    public async Task SlowFirstByte_UntilReleased_NothingComes()
    {
        await using var client = await SendAsync(Fault.SlowFirstByte);
        var answering = client.ReadResponseAsync();
        var arrival = await _service.NextArrivalAsync();
        await arrival.WaitForBodyAsync();
        answering.IsCompleted.ShouldBeFalse();

        arrival.Release();

        (await answering).Text.ShouldBe("done");
    }

    [Fact]
    public async Task SlowBody_EachRelease_BringsOneByte()
    {
        await using var client = await SendAsync(Fault.SlowBody);
        var arrival = await _service.NextArrivalAsync();
        (await client.ReadUntilAsync("\r\n\r\ns")).ShouldEndWith("s");

        foreach (var next in "low")
        {
            arrival.Release();
            (await client.ReadUntilAsync($"{next}")).ShouldBe($"{next}");
        }

        (Only.Result, Only.Status).ShouldBe((JournalResult.Applied, 200));
    }

    [Fact]
    public async Task Unavailable_Put_IsRefusedAndTheConnectionKept()
    {
        _service.Script = e => e.RequestId == "id-a" ? Fault.Unavailable(7) : Fault.None;
        await using var client = await RawHttpClient.ConnectAsync(_service.Port);

        await client.SendAsync(Put("a"));
        var refused = await client.ReadResponseAsync();
        await client.SendAsync(Put("b"));

        (refused.Status, refused.Value("Retry-After")).ShouldBe((503, "7"));
        (await client.ReadResponseAsync()).Status.ShouldBe(200);
        _service.Entries.Select(e => e.Result).ShouldBe([JournalResult.Refused, JournalResult.Applied]);
        _service.ConnectionCount.ShouldBe(1);
    }

    public static TheoryData<Fault> NotHttp() => [Fault.Garbage, Fault.HalfHead];

    private JournalEntry Only => _service.Entries.ShouldHaveSingleItem();

    private async Task<RawHttpClient> SendAsync(Fault fault)
    {
        _service.Script = _ => fault;
        var client = await RawHttpClient.ConnectAsync(_service.Port);
        await client.SendAsync(Put("a"));
        return client;
    }

    private static async Task ShouldBeResetAsync(RawHttpClient client)
    {
        var failure = await Should.ThrowAsync<IOException>(() => client.ReadUntilAsync("never"));
        failure.InnerException.ShouldBeOfType<System.Net.Sockets.SocketException>();
    }

    private static string Put(string id) => RawHttpClient.Head(
        $"PUT /{id} HTTP/1.1", "Host: x", "Fencing-Token: 33", $"{JournalService.RequestIdHeader}: id-{id}",
        "Content-Length: 4") + "body";
}
