using System.Net;
using System.Net.Sockets;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Etcd;

namespace FenceGateway.TokenStore.Tests.Etcd;

/// <summary>What is sent how often, and where, when members do not serve.</summary>
public sealed class EtcdClientTests
{
    private const uint InternalError = 2;
    private const uint RefusedStream = 7;

    [Fact]
    public async Task Transact_ResetByTheMember_IsSentOnce()
    {
        await using var member = Http2Refuser.Resetting(InternalError);
        (await FailAsync(member)).NotTaken.ShouldBeFalse();
        member.Requests.ShouldBe(1);
    }

    [Fact]
    public async Task Transact_ConnectionEndedAfterItWasLookedAt_IsSentOnce()
    {
        await using var member = Http2Refuser.GoingAway(lastStream: 1);
        using var bound = new CancellationTokenSource(TimeSpan.FromMilliseconds(300), TimeProvider.System);
        (await FailAsync(member, bound.Token)).NotTaken.ShouldBeFalse();
        member.Requests.ShouldBe(1);
    }

    [Fact]
    public async Task Transact_NeverLookedAt_IsSentAgainThreeTimesAtMost()
    {
        await using var refusing = Http2Refuser.Resetting(RefusedStream);
        (await FailAsync(refusing)).NotTaken.ShouldBeFalse("nobody has to rely on it");
        refusing.Requests.ShouldBe(4);

        await using var leaving = Http2Refuser.GoingAway(lastStream: 0);
        await FailAsync(leaving);
        leaving.Requests.ShouldBe(4);
    }

    [Fact]
    public async Task Transact_ManyWhileTheMemberCannotBeConnectedTo_WaitForOneAttemptAltogether()
    {
        using var gone = new TcpListener(IPAddress.Loopback, 0);
        gone.Start(backlog: 0);
        using var filling = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await filling.ConnectAsync(gone.LocalEndpoint);
        var clock = new ManualTimeProvider();
        using var client = NewClient($"http://{gone.LocalEndpoint}", clock);
        var calls = new EtcdCalls(client, new EtcdKeys("fg"));

        var asking = Enumerable.Range(0, 20)
            .Select(_ => Should.ThrowAsync<EtcdException>(() => calls.TransactAsync([], [], [], default))).ToArray();
        await clock.WaitForTimersAsync(1).WithinLimit("an attempt to connect");
        clock.Advance(TimeSpan.FromMilliseconds(500));
        var failures = await Task.WhenAll(asking).WithinLimit("all calls");

        failures.ShouldAllBe(e => e.IsNotSent);
        failures[0].Message.ShouldContain("within 00:00:00.5");
    }

    private static async Task<EtcdException> FailAsync(
        Http2Refuser member, CancellationToken cancellationToken = default)
    {
        using var client = NewClient(member.Address, TimeProvider.System);
        var calls = new EtcdCalls(client, new EtcdKeys("fg"));
        return await Should.ThrowAsync<EtcdException>(() => calls.TransactAsync([], [], [], cancellationToken))
            .WithinLimit("an end");
    }

    private static EtcdClient NewClient(string endpoint, TimeProvider clock) =>
        new(new EtcdTokenStoreOptions { Endpoints = [endpoint] }, clock);
}
