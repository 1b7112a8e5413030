using System.Collections.Concurrent;
using System.Text;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.ZooKeeper;

namespace FenceGateway.TokenStore.Tests.ZooKeeper;

public sealed class ZooKeeperClientTests(ZooKeeperFixture server) : IClassFixture<ZooKeeperFixture>
{
    private readonly string _path = $"/c{Guid.NewGuid():N}";

    [Fact]
    public async Task SendAsync_Pipelined_IsCarriedOutInOrder()
    {
        await using var client = await server.ConnectAsync();
        await CreateAsync(client, _path);
        var replies = await Task.WhenAll(Enumerable.Range(0, 500).Select(i =>
            client.SendAsync(ZooKeeperRequest.Multi(MultiOperation.SetData(_path, [(byte)i], i)), default).AsTask()));
        replies.ShouldAllBe(r => r.IsOk && r.Value.Single().Error == ZooKeeperError.Ok);
        replies.Select(r => r.Value[0].Stat.Version).ShouldBe(Enumerable.Range(1, 500));
        replies.Select(r => r.Zxid).ShouldBe(replies.Select(r => r.Zxid).Order());
        client.LastZxid.ShouldBe(replies[^1].Zxid);
    }

    [Fact]
    public async Task Multi_OneOperationFails_NoneIsDoneAndTheReplySaysWhich()
    {
        await using var client = await server.ConnectAsync();
        await CreateAsync(client, _path);
        var reply = await client.SendAsync(
            ZooKeeperRequest.Multi(
                MultiOperation.Check(_path, -1), MultiOperation.SetData(_path, [1], 0), MultiOperation.Check(_path, 7),
                MultiOperation.Delete(_path)),
            default);
        reply.IsOk.ShouldBeTrue();
        reply.Value.Select(r => r.Error).ShouldBe(
            [ZooKeeperError.Ok, ZooKeeperError.Ok, ZooKeeperError.BadVersion, ZooKeeperError.RuntimeInconsistency]);
        (await client.SendAsync(ZooKeeperRequest.GetData(_path, watch: false), default)).Value.Stat.Version.ShouldBe(0);
    }

    [Fact]
    public async Task SendAsync_WhatCannotBe_IsAnErrorAndNoException()
    {
        await using var client = await server.ConnectAsync();
        (await client.SendAsync(ZooKeeperRequest.Exists(_path), default)).Error.ShouldBe(ZooKeeperError.NoNode);
        (await client.SendAsync(ZooKeeperRequest.Delete(_path), default)).Error.ShouldBe(ZooKeeperError.NoNode);
        (await client.SendAsync(ZooKeeperRequest.Create($"{_path}/a", [], false, false), default)).Error.ShouldBe(
            ZooKeeperError.NoNode);
        await CreateAsync(client, _path);
        (await client.SendAsync(ZooKeeperRequest.Create(_path, [], false, false), default)).Error.ShouldBe(
            ZooKeeperError.NodeExists);
        await CreateAsync(client, $"{_path}/a");
        (await client.SendAsync(ZooKeeperRequest.Delete(_path), default)).Error.ShouldBe(ZooKeeperError.NotEmpty);
    }

    [Fact]
    public async Task CloseAsync_EphemeralNode_IsGoneAtOnce()
    {
        await using var watching = await server.ConnectAsync();
        var client = await server.ConnectAsync();
        (await client.SendAsync(ZooKeeperRequest.Create(_path, [], ephemeral: true, false), default)).IsOk
            .ShouldBeTrue();
        (await watching.SendAsync(ZooKeeperRequest.Exists(_path), default)).Value.EphemeralOwner.ShouldBe(
            client.Session.Id);
        await client.CloseAsync();
        (await watching.SendAsync(ZooKeeperRequest.Exists(_path), default)).Error.ShouldBe(ZooKeeperError.NoNode);
    }

    [Fact]
    public async Task Session_EndedBySomebodyElse_IsExpiredAndStaysSo()
    {
        await using var client = await server.ConnectAsync();
        var states = new ConcurrentQueue<ZooKeeperState>();
        client.Changed = states.Enqueue;
        await server.ExpireAsync(client);
        await Eventually.IsSoAsync(() => client.State == ZooKeeperState.Expired, "the client is told");
        (await client.SendAsync(ZooKeeperRequest.Exists("/"), default)).Error.ShouldBe(ZooKeeperError.SessionExpired);
        client.IsAlive.ShouldBeFalse();
        await Eventually.IsSoAsync(() => states.Contains(ZooKeeperState.Expired), "whoever listens is told");
    }

    [Fact]
    public async Task Watch_ChangeWhileTheConnectionWasCut_IsToldOnTheNextOne()
    {
        await using var proxy = new TcpProxy(server.Server.Port);
        await using var client = new ZooKeeperClient(
            ServerList.Parse($"127.0.0.1:{proxy.Port}"), TimeSpan.FromSeconds(20), null, TimeProvider.System,
            new TestLogger<ZooKeeperClient>());
        var told = new ConcurrentQueue<WatchEvent>();
        client.Watched = told.Enqueue;
        await client.ConnectAsync(default).WithinLimit("a connection");
        await using var other = await server.ConnectAsync();
        string[] paths = [_path, $"{_path}/a", $"{_path}/b"];
        foreach (var path in paths)
        {
            await CreateAsync(other, path);
            (await client.SendAsync(ZooKeeperRequest.GetData(path, watch: true), default)).IsOk.ShouldBeTrue();
        }

        (await client.SendAsync(ZooKeeperRequest.GetChildren(_path, watch: true), default)).Value.Order().ShouldBe(
            ["a", "b"]);
        var session = client.Session.Id;
        proxy.Cut();
        await Eventually.IsSoAsync(() => client.State == ZooKeeperState.Connecting, "the connection is lost");
        (await client.SendAsync(ZooKeeperRequest.Exists("/"), default)).Error.ShouldBe(ZooKeeperError.NotSent);
        (await other.SendAsync(ZooKeeperRequest.Multi(MultiOperation.SetData(paths[1], [1], 0)), default)).IsOk
            .ShouldBeTrue();
        await CreateAsync(other, $"{_path}/c");
        proxy.Heal();
        await Eventually.IsSoAsync(() => told.Count >= 2, "both changes are told");
        told.ShouldBe(
            [new(WatchEventType.NodeDataChanged, paths[1]), new(WatchEventType.NodeChildrenChanged, _path)],
            ignoreOrder: true);
        client.Session.Id.ShouldBe(session);
        (client.IsWatched(paths[2]), client.IsWatched(paths[1]), client.IsWatchingChildren(_path)).ShouldBe(
            (true, false, false));
        (await other.SendAsync(ZooKeeperRequest.Multi(MultiOperation.SetData(paths[2], [1], 0)), default)).IsOk
            .ShouldBeTrue();
        await Eventually.IsSoAsync(() => told.Count == 3, "a watch of before goes on");
    }

    [Fact]
    public async Task Watches_MoreThanFitIntoOneFrame_AreAllToldToTheNextConnection()
    {
        await using var proxy = new TcpProxy(server.Server.Port);
        await using var client = new ZooKeeperClient(
            ServerList.Parse($"127.0.0.1:{proxy.Port}"), TimeSpan.FromSeconds(20), null, TimeProvider.System,
            new TestLogger<ZooKeeperClient>());
        var told = new ConcurrentQueue<WatchEvent>();
        client.Watched = told.Enqueue;
        await client.ConnectAsync(default).WithinLimit("a connection");
        await using var other = await server.ConnectAsync();
        await CreateAsync(other, _path);
        var paths = Enumerable.Range(0, 1500).Select(i => $"{_path}/{new string('x', 100)}{i}").ToArray();
        await Task.WhenAll(paths.Select(path => CreateAsync(other, path)));
        await Task.WhenAll(
            paths.Select(path => client.SendAsync(ZooKeeperRequest.GetData(path, watch: true), default).AsTask()));
        proxy.Cut();
        await Eventually.IsSoAsync(() => client.State == ZooKeeperState.Connecting, "the connection is lost");
        await Task.WhenAll(paths.Select(path =>
            other.SendAsync(ZooKeeperRequest.Multi(MultiOperation.SetData(path, [1], 0)), default).AsTask()));
        proxy.Heal();
        await Eventually.IsSoAsync(() => told.Count == paths.Length, "every change is told");
        told.Select(e => e.Path).ToHashSet(StringComparer.Ordinal).SetEquals(paths).ShouldBeTrue();
    }

    [Fact]
    public async Task SendAsync_ConnectionCutUnderWay_SaysWhetherItLeft()
    {
        await using var proxy = new TcpProxy(server.Server.Port);
        await using var client = new ZooKeeperClient(
            ServerList.Parse($"127.0.0.1:{proxy.Port}"), TimeSpan.FromSeconds(20), null, TimeProvider.System,
            new TestLogger<ZooKeeperClient>());
        await client.ConnectAsync(default).WithinLimit("a connection");
        proxy.Stall();
        var underWay = client.SendAsync(ZooKeeperRequest.Create(_path, [], false, false), default).AsTask();
        await Eventually.IsSoAsync(() => proxy.Held > 0, "the request to have left");
        underWay.IsCompleted.ShouldBeFalse();
        proxy.Cut();
        (await underWay.WithinLimit("an end")).Error.ShouldBe(ZooKeeperError.ConnectionLoss);
        ZooKeeperError.ConnectionLoss.IsNotTaken().ShouldBeFalse();
    }

    [Fact]
    public async Task Auth_NodeOfOneUser_IsClosedToOthers()
    {
        var alice = Encoding.UTF8.GetBytes("alice:secret");
        await using var client = await server.ConnectAsync(auth: alice);
        (await client.SendAsync(ZooKeeperRequest.Create(_path, [1], false, restricted: true), default)).IsOk
            .ShouldBeTrue();
        await using var nobody = await server.ConnectAsync();
        (await nobody.SendAsync(ZooKeeperRequest.GetData(_path, watch: false), default)).Error.ShouldBe(
            ZooKeeperError.NoAuth);
        await using var again = await server.ConnectAsync(auth: alice);
        (await again.SendAsync(ZooKeeperRequest.GetData(_path, watch: false), default)).Value.Data.ShouldBe([1]);
    }

    private static async Task CreateAsync(ZooKeeperClient client, string path) =>
        (await client.SendAsync(ZooKeeperRequest.Create(path, [], ephemeral: false, restricted: false), default)).IsOk
            .ShouldBeTrue();

}
