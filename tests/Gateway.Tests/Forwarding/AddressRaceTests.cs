using System.Net;
using System.Net.Sockets;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.Tests.Forwarding;

/// <summary>Which of a service's addresses a connection goes to. 127.0.0.1 takes none; 127.0.0.2 does where a test says
/// so.</summary>
public sealed class AddressRaceTests : IDisposable
{
    private static readonly IPAddress Dead = IPAddress.Loopback;
    private static readonly IPAddress Alive = IPAddress.Parse("127.0.0.2");
    private static readonly IPAddress Refuses = IPAddress.Parse("127.0.0.3");

    private readonly ManualTimeProvider _time = new();
    private readonly FullListener _full = new();
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public AddressRaceTests()
    {
        _listener.Bind(new IPEndPoint(Alive, _full.Address.Port));
        _listener.Listen();
    }

    public void Dispose()
    {
        _listener.Dispose();
        _full.Dispose();
    }

    [Fact]
    public async Task ConnectAsync_FirstAddressIsSilent_TheNextIsTriedWhenItsTurnComes()
    {
        var before = _full.Asking;
        var connecting = Race(Dead, Alive);
        await _time.WaitForTimerAsync(AddressRace.Turn);
        connecting.IsCompleted.ShouldBeFalse();

        _time.Advance(AddressRace.Turn);

        using var socket = await connecting.WithinLimit("a connection");
        AddressOf(socket).ShouldBe(Alive);
        await Eventually.IsSoAsync(() => _full.Asking <= before, "the silent attempt to be given up");
    }

    [Fact]
    public async Task ConnectAsync_FirstAddressRefuses_TheNextIsTriedAtOnce()
    {
        using var socket = await Race(Refuses, Alive).WithinLimit("a connection");
        AddressOf(socket).ShouldBe(Alive);
    }

    [Fact]
    public async Task ConnectAsync_FirstAddressTakesIt_NoOtherIsAsked()
    {
        using var socket = await Race(Alive, Dead).WithinLimit("a connection");
        AddressOf(socket).ShouldBe(Alive);
        _time.ArmedTimers.ShouldBe(0);
    }

    [Fact]
    public async Task ConnectAsync_SilentRefusingAlive_RefusalEndsTheWaitForTheLast()
    {
        var connecting = Race(Dead, Refuses, Alive);
        await _time.WaitForTimerAsync(AddressRace.Turn);
        _time.Advance(AddressRace.Turn);
        using var socket = await connecting.WithinLimit("a connection");
        AddressOf(socket).ShouldBe(Alive);
    }

    [Fact]
    public async Task ConnectAsync_OtherFamilyIsMissingHere_IsNoReasonToFail()
    {
        // 2001:db8::/32 is nobody's (RFC 3849).
        var none = IPAddress.Parse("2001:db8::1");
        var connecting = Race(none, Alive);
        while (!connecting.IsCompleted)
        {
            _time.Advance(AddressRace.Turn);
            await Task.WhenAny(connecting, Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System));
        }

        using var socket = await connecting;
        AddressOf(socket).ShouldBe(Alive);
    }

    [Fact]
    public async Task ConnectAsync_AllRefuse_SaysSo()
    {
        var error = await Should.ThrowAsync<SocketException>(Race(Refuses, IPAddress.Parse("127.0.0.4")));
        error.SocketErrorCode.ShouldBe(SocketError.ConnectionRefused);
    }

    [Fact]
    public async Task ConnectAsync_NoAddress_IsNoConnection() => await Should.ThrowAsync<SocketException>(Race());

    [Fact]
    public async Task ConnectAsync_AllSilent_EndsWithItsTime()
    {
        var before = _full.Asking;
        using var expired = new CancellationTokenSource();
        var connecting = new AddressRace([Dead, Dead], _full.Address.Port, _time).ConnectAsync(expired.Token);
        await _time.WaitForTimerAsync(AddressRace.Turn);
        await expired.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(connecting.WithinLimit("the end of the attempt"));
        await Eventually.IsSoAsync(() => _full.Asking <= before, "the attempts to be given up");
    }

    private Task<Socket> Race(params IPAddress[] addresses) =>
        new AddressRace(addresses, _full.Address.Port, _time).ConnectAsync(CancellationToken.None);

    private static IPAddress AddressOf(Socket socket) => ((IPEndPoint)socket.RemoteEndPoint!).Address;
}
