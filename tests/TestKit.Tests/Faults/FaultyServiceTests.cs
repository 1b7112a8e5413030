using System.Net;
using System.Net.Sockets;

namespace FenceGateway.TestKit.Tests.Faults;

/// <summary>What a faulty service does with its port and its connections.</summary>
public sealed class FaultyServiceTests : IAsyncLifetime
{
    private const string Get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
    private readonly FaultyService _service = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task Refuse_OpenConnection_StaysWhileNewOnesAreRefused()
    {
        await using var open = await OpenAsync();

        _service.Refuse();

        await ShouldBeRefusedAsync();
        (await ExchangeAsync(open)).ShouldBe(200);
    }

    [Fact]
    public async Task Die_OpenConnection_IsResetAndNewOnesAreRefused()
    {
        await using var open = await OpenAsync();

        _service.Die();

        await open.WaitForCloseAsync();
        await ShouldBeRefusedAsync();
    }

    [Fact]
    public async Task ComeBack_AfterDying_ServesOnTheSamePort()
    {
        for (var round = 0; round < 3; round++)
        {
            await using var open = await OpenAsync();
            _service.Die();
            _service.ComeBack();
        }

        await using var client = await OpenAsync();
        (await ExchangeAsync(client)).ShouldBe(200);
    }

    [Fact]
    public async Task Overflow_NewConnection_NeverComesAbout()
    {
        await using var open = await OpenAsync();
        await _service.OverflowAsync();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(300), TimeProvider.System);

        _ = await Should.ThrowAsync<OperationCanceledException>(
            async () => await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, _service.Port), patience.Token));

        (await ExchangeAsync(open)).ShouldBe(200);
    }

    [Fact]
    public async Task ComeBack_AfterOverflow_ServesAgain()
    {
        await _service.OverflowAsync();

        _service.ComeBack();

        await using var client = await OpenAsync();
        (await ExchangeAsync(client)).ShouldBe(200);
    }

    [Fact]
    public async Task Connections_ResetUnread_ResetsWithoutJournalingTheRequest()
    {
        _service.Connections = number => number == 1 ? ConnectionFault.ResetUnread : ConnectionFault.None;
        await using var first = await RawHttpClient.ConnectAsync(_service.Port);
        await first.SendAsync(Get);

        await first.WaitForCloseAsync();

        await using var second = await OpenAsync();
        _service.Entries.Count.ShouldBe(1);
        _service.ConnectionCount.ShouldBe(2);
        _service.Unread.ShouldBe([Get]);
    }

    [Fact]
    public async Task Connections_NeverRead_TakesTheRequestAndSaysNothing()
    {
        _service.Connections = _ => ConnectionFault.NeverRead;
        await using var client = await RawHttpClient.ConnectAsync(_service.Port, TimeSpan.FromMilliseconds(200));
        await client.SendAsync(Get);
        await _service.NextConnectionAsync();

        _ = await Should.ThrowAsync<TimeoutException>(() => client.ReadResponseAsync());

        _service.Entries.ShouldBeEmpty();
    }

    [Fact]
    public async Task Dispose_RequestsHeld_EndsThem()
    {
        var service = new FaultyService { Script = _ => Fault.SlowFirstByte };
        await using var client = await RawHttpClient.ConnectAsync(service.Port);
        await client.SendAsync(Get);
        var arrival = await service.NextArrivalAsync();
        await arrival.WaitForBodyAsync();

        await service.DisposeAsync();

        await client.WaitForCloseAsync();
        arrival.Entry.Result.ShouldBe(JournalResult.Applied);
    }

    private async Task<RawHttpClient> OpenAsync()
    {
        var client = await RawHttpClient.ConnectAsync(_service.Port);
        (await ExchangeAsync(client)).ShouldBe(200);
        return client;
    }

    private static async Task<int> ExchangeAsync(RawHttpClient client)
    {
        await client.SendAsync(Get);
        return (await client.ReadResponseAsync()).Status;
    }

    private async Task ShouldBeRefusedAsync()
    {
        var failure = await Should.ThrowAsync<SocketException>(() => RawHttpClient.ConnectAsync(_service.Port));
        failure.SocketErrorCode.ShouldBe(SocketError.ConnectionRefused);
    }
}
