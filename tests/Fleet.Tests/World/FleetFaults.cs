using FenceGateway.Fleet.Tests.Stores;
using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests.World;

/// <summary>
/// What is done to a fleet. Each fault is over when its task completes; whether everything healed is the world's to
/// see.
/// </summary>
internal static class FleetFaults
{
    /// <summary>A stopped process has stopped by then, and a killed one's sockets are gone.</summary>
    private static readonly TimeSpan AMoment = TimeSpan.FromMilliseconds(30);

    /// <summary>For a while nothing happens but what holders do, and none of it concerns anybody else.</summary>
    public static async Task NoneAsync(FleetWorld world, Random random)
    {
        var from = world.Now;
        await WaitAsync(random, 0.2 * world.Ttl, 0.6 * world.Ttl);
        world.RecordBystanders(from, world.Gateways);
    }

    /// <summary>SIGKILL of a gateway; it starts again at once, or when its session may long have ended.</summary>
    public static async Task KillGatewayAsync(FleetWorld world, Random random)
    {
        var gateway = Pick(world, random);
        var from = world.Now;
        await gateway.KillAsync();
        await WaitAsync(random, TimeSpan.Zero, 1.5 * world.Ttl);
        await gateway.StartAsync();
        world.RecordBystanders(from, Others(world, gateway));
    }

    /// <summary>
    /// SIGSTOP of a gateway for longer than its session lasts, mostly long enough for others to take over.
    /// </summary>
    public static async Task PauseGatewayAsync(FleetWorld world, Random random)
    {
        var gateway = Pick(world, random);
        var from = world.Now;
        gateway.Signal(UnixSignal.Stop);
        await WaitAsync(random, 1.1 * world.Ttl, world.Ttl + 1.5 * FleetTimes.Short.InDoubtHold);
        gateway.Signal(UnixSignal.Continue);
        world.RecordBystanders(from, Others(world, gateway));
    }

    /// <summary>
    /// SIGKILL of as many servers as the store cannot do without, for shorter or longer than the sessions last.
    /// </summary>
    public static Task KillStoreAsync(FleetWorld world, Random random) =>
        LoseStoreAsync(world, random, TimeSpan.Zero, s => s.KillAsync(), s => s.RestartAsync());

    /// <summary>SIGSTOP of as many servers as the store cannot do without, for longer than the sessions last.</summary>
    public static Task PauseStoreAsync(FleetWorld world, Random random) =>
        LoseStoreAsync(world, random, 1.1 * world.Ttl, Now(s => s.Pause()), Now(s => s.Continue()));

    /// <summary>
    /// One gateway's connections to the store are reset and stay so, or nothing gets through them any more and arrives
    /// all the same at the end.
    /// </summary>
    public static async Task CutOffGatewayAsync(FleetWorld world, Random random)
    {
        var gateway = Pick(world, random);
        var stall = random.Next(2) == 0;
        var from = world.Now;
        foreach (var proxy in gateway.Proxies)
        {
            if (stall)
            {
                proxy.Stall();
            }
            else
            {
                proxy.Cut();
            }
        }

        var gone = world.Now;
        var over = await WaitForSessionsAsync(world, random, 1.1 * world.Ttl);
        world.Record(new StoreOutage(gone, over, world.Now, gateway.Name));
        foreach (var proxy in gateway.Proxies)
        {
            proxy.Heal();
        }

        world.RecordBystanders(from, Others(world, gateway));
    }

    /// <summary>One of several servers loses everything; the others carry the store, and nobody notices.</summary>
    public static async Task EmptyServerAsync(FleetWorld world, Random random)
    {
        var server = world.Store.Servers[random.Next(world.Store.Servers.Count)];
        var from = world.Now;
        await server.KillAsync();
        await WaitAsync(random, TimeSpan.Zero, world.Ttl);
        await server.RestartEmptyAsync!();
        await WaitForResynchronisationAsync(world, (RedisServer)server.Owner);
        await WaitAsync(random, TimeSpan.Zero, world.Ttl);
        world.RecordBystanders(from, world.Gateways);
    }

    /// <summary>One more that loses its data before this one counts again would be a majority.</summary>
    private static async Task WaitForResynchronisationAsync(FleetWorld world, RedisServer server)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30), TimeProvider.System);
        while ((await server.CommandAsync("HEXISTS", $"{{{world.Prefix}}}:q:meta", "serving")).Trim() != "1")
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, limit.Token);
        }
    }

    /// <summary>ZooKeeper ends the session of a gateway that thinks it alive.</summary>
    public static async Task ExpireSessionAsync(FleetWorld world, Random random)
    {
        var server = ((ZooKeeperUnderTest)world.Store).Server;
        var sessions = await ZooKeeperSessions.FindAsync(server);
        for (var i = 0; sessions.Count != world.Gateways.Count && i < 100; i++)
        {
            // Of gateways that were killed not long ago.
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
            sessions = await ZooKeeperSessions.FindAsync(server);
        }

        sessions.Count.ShouldBe(world.Gateways.Count);
        await ZooKeeperSessions.ExpireAsync(server, sessions[random.Next(sessions.Count)]);
    }

    /// <summary>
    /// Everything goes down, and the store comes back with nothing: no gateway has the marks in memory either.
    /// </summary>
    public static async Task LoseEverythingAsync(FleetWorld world, Random random)
    {
        await Task.WhenAll(
            [.. world.Gateways.Select(g => g.KillAsync()), .. world.Store.Servers.Select(s => s.KillAsync())]);
        await Task.WhenAll(world.Store.Servers.Select(s => s.RestartEmptyAsync!()));
        await Task.WhenAll(world.Gateways.Select(g => g.StartAsync()));
        await WaitAsync(random, 0.2 * world.Ttl, world.Ttl);
    }

    private static async Task LoseStoreAsync(
        FleetWorld world, Random random, TimeSpan least, Func<StoreServer, Task> lose, Func<StoreServer, Task> bring)
    {
        var servers = world.Store.Servers.OrderBy(_ => random.Next()).Take(world.Store.Majority).ToList();
        await Task.WhenAll(servers.Select(lose));
        await Task.Delay(AMoment, TimeProvider.System);
        var gone = world.Now;
        var over = await WaitForSessionsAsync(world, random, least);
        world.Record(new StoreOutage(gone, over, world.Now));
        await Task.WhenAll(servers.Select(bring));
    }

    /// <summary>
    /// Waits at random; the event at which every session had ended, or a later one when it did not wait for that.
    /// </summary>
    private static async Task<long> WaitForSessionsAsync(FleetWorld world, Random random, TimeSpan least)
    {
        var wait = least + random.NextDouble() * (least > TimeSpan.Zero ? 0.9 : 1.9) * world.Ttl;
        var longest = 1.05 * world.Ttl;
        if (wait < longest)
        {
            await Task.Delay(wait, TimeProvider.System);
            return long.MaxValue;
        }

        await Task.Delay(longest, TimeProvider.System);
        var over = world.Now;
        await Task.Delay(wait - longest, TimeProvider.System);
        return over;
    }

    private static FleetGateway Pick(FleetWorld world, Random random) =>
        world.Gateways[random.Next(world.Gateways.Count)];

    private static IEnumerable<FleetGateway> Others(FleetWorld world, FleetGateway but) =>
        world.Gateways.Where(g => g != but);

    private static Task WaitAsync(Random random, TimeSpan least, TimeSpan most) =>
        Task.Delay(least + random.NextDouble() * (most - least), TimeProvider.System);

    private static Func<StoreServer, Task> Now(Action<StoreServer> act) => server =>
    {
        act(server);
        return Task.CompletedTask;
    };
}
