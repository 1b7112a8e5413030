using System.Globalization;
using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Etcd;
using FenceGateway.TokenStore.MySql;
using FenceGateway.TokenStore.Postgres;
using FenceGateway.TokenStore.Quorum;
using FenceGateway.TokenStore.Redis;
using FenceGateway.TokenStore.ZooKeeper;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.Benchmarks.Stores;

/// <summary>
/// What the steps of the protocol take in each shared store: one call after the other, the stores in turn in one run,
/// each on a server of this machine that puts every answer on its disk; beside them a file of this process that does
/// the same.
/// </summary>
internal static class StoreComparison
{
    private const int Rounds = 20;

    private static readonly Step[] Steps =
    [
        new("first write to a resource", static (pair, call) => pair.EnterAsync(0, $"new/{call}", 1)),
        new("new token, same gateway", static (pair, call) => pair.EnterAsync(0, $"known/{call % 100}", 1 + call)),
        new("takeover: enter, withdraw, enter", static (pair, call) => pair.TakeOverAsync($"taken/{call % 100}", 1 + call)),
        new("heartbeat", static (pair, _) => pair.HeartbeatAsync(0)),
    ];

    public static async Task<int> RunAsync(string[] args, TextWriter output)
    {
        var calls = args is [var text] ? int.Parse(text, CultureInfo.InvariantCulture) : 25;
        await using var servers = await Servers.StartAsync();
        var pairs = new List<(string Name, Pair Pair)>();
        foreach (var (name, make) in servers.Stores)
        {
            pairs.Add((name, await Pair.OpenAsync(make(), make())));
        }

        using var disk = new Disk();
        var times = new Dictionary<(string, Step?), List<double>>();
        for (var round = -1; round < Rounds; round++)
        {
            await TimeAsync("", null, Append, round);
            foreach (var (name, pair) in pairs)
            {
                await pair.HeartbeatAsync(0);
                await pair.HeartbeatAsync(1);
                foreach (var step in Steps)
                {
                    await TimeAsync(name, step, () => step.Call(pair, pair.NextCall()), round);
                }
            }
        }

        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"{Rounds} rounds of {calls} calls each, ms a call: median, p99. A file, appended to and flushed: "
                + $"{At("", null, 0.5):F2}, {At("", null, 0.99):F2}"));
        foreach (var step in Steps)
        {
            await output.WriteLineAsync($"\n{step.Name}");
            foreach (var (name, pair) in pairs)
            {
                await output.WriteLineAsync(string.Create(
                    CultureInfo.InvariantCulture,
                    $"  {name,-36} {At(name, step, 0.5),7:F2} {At(name, step, 0.99),8:F2}   {pair.Grade}"));
            }
        }

        foreach (var (_, pair) in pairs)
        {
            await pair.DisposeAsync();
        }

        return 0;

        Task Append()
        {
            disk.Append();
            return Task.CompletedTask;
        }

        async Task TimeAsync(string name, Step? step, Func<Task> call, int round)
        {
            var list = times.TryGetValue((name, step), out var known) ? known : times[(name, step)] = [];
            for (var i = 0; i < calls; i++)
            {
                var start = TimeProvider.System.GetTimestamp();
                await call();
                if (round >= 0)
                {
                    // The first round finds everything cold.
                    list.Add(TimeProvider.System.GetElapsedTime(start).TotalMilliseconds);
                }
            }
        }

        double At(string name, Step? step, double part)
        {
            var sorted = times[(name, step)].Order().ToList();
            return sorted[(int)(part * (sorted.Count - 1))];
        }
    }

    private sealed record Step(string Name, Func<Pair, int, Task> Call);

    /// <summary>Two gateways on one store.</summary>
    private sealed class Pair(ITokenStore[] stores) : IAsyncDisposable
    {
        private static readonly string[] Sessions = ["one", "two"];
        private readonly Dictionary<string, int> _owners = new(StringComparer.Ordinal);
        private long _sequence;
        private int _calls;

        public string Grade => stores[0].Info.Grade.ToString();

        public static async Task<Pair> OpenAsync(params ITokenStore[] stores)
        {
            for (var i = 0; i < stores.Length; i++)
            {
                await stores[i].OpenAsync(default);
                await stores[i].StartSessionAsync(Sessions[i], TimeSpan.FromMinutes(1), default);
            }

            return new Pair(stores);
        }

        public int NextCall() => _calls++;

        public async Task EnterAsync(int gateway, string resource, long token)
        {
            if (await AskAsync(gateway, resource, token) is not EnterStatus.Admitted and var status)
            {
                throw new InvalidOperationException($"{stores[gateway].Info.Provider}: {resource} is {status}");
            }
        }

        /// <summary>
        /// The gateway that did not write there last asks and is held back, the other one withdraws, it asks again.
        /// </summary>
        public async Task TakeOverAsync(string resource, long token)
        {
            var before = _owners.GetValueOrDefault(resource);
            _ = await AskAsync(1 - before, resource, token);
            await stores[before].WithdrawAsync(Sessions[before], [new Registration(Key(resource), _sequence)], default);
            await EnterAsync(1 - before, resource, token);
            _owners[resource] = 1 - before;
        }

        public async Task HeartbeatAsync(int gateway) =>
            _ = await stores[gateway].HeartbeatAsync(Sessions[gateway], default);

        public async ValueTask DisposeAsync()
        {
            foreach (var store in stores)
            {
                await store.DisposeAsync();
            }
        }

        private async Task<EnterStatus> AskAsync(int gateway, string resource, long token)
        {
            var reply = await stores[gateway].EnterAsync(
                new EnterRequest(
                    Sessions[gateway], Key(resource), new FencingToken(token), new FencingToken(token), ++_sequence,
                    TimeSpan.FromSeconds(10)),
                default);
            return reply.Status;
        }

        private static ResourceKey Key(string text) =>
            ResourceKey.TryCreate(text, out var key) ? key : throw new ArgumentException("Not a key", nameof(text));
    }

    /// <summary>What the disk itself takes.</summary>
    private sealed class Disk : IDisposable
    {
        private readonly TempFolder _folder = new();
        private readonly FileStream _file;

        public Disk() => _file = new FileStream(_folder.File("file"), FileMode.CreateNew);

        public void Append()
        {
            _file.Write(new byte[256]);
            _file.Flush(flushToDisk: true);
        }

        public void Dispose()
        {
            _file.Dispose();
            _folder.Dispose();
        }
    }

    private sealed class Servers : IAsyncDisposable
    {
        private readonly List<IAsyncDisposable> _started = [];

        public List<(string Name, Func<ITokenStore> Make)> Stores { get; } = [];

        public static async Task<Servers> StartAsync()
        {
            var servers = new Servers();
            var (clock, always) = (TimeProvider.System, new RedisServerOptions { AppendFsync = "always" });
            var redis = servers.Keep(await RedisServer.StartAsync(always));
            servers.Stores.Add(("Redis, appendfsync always", () => new RedisTokenStore(
                new() { Configuration = redis.Configuration }, clock, NullLogger<RedisTokenStore>.Instance)));
            var nodes = new List<string>();
            for (var i = 0; i < 3; i++)
            {
                nodes.Add(servers.Keep(await RedisServer.StartAsync(always)).Configuration);
            }

            servers.Stores.Add(("Quorum of three such", () => new QuorumTokenStore(
                new() { Nodes = nodes }, clock, NullLogger<QuorumTokenStore>.Instance)));
            var postgres = servers.Keep(await PostgresServer.StartAsync());
            servers.Stores.Add(("PostgreSQL", () => new PostgresTokenStore(
                new() { ConnectionString = postgres.ConnectionString() }, clock, NullLogger<PostgresTokenStore>.Instance)));
            var mariaDb = servers.Keep(await MariaDbServer.StartAsync());
            servers.Stores.Add(("MariaDB", () => new MySqlTokenStore(
                new() { ConnectionString = mariaDb.ConnectionString() }, clock, NullLogger<MySqlTokenStore>.Instance)));
            var zooKeeper = servers.Keep(await ZooKeeperServer.StartAsync());
            servers.Stores.Add(("ZooKeeper, one server", () => new ZooKeeperTokenStore(
                new() { ConnectionString = $"127.0.0.1:{zooKeeper.Port}" }, clock, NullLogger<ZooKeeperTokenStore>.Instance)));
            var etcd = servers.Keep(await EtcdServer.StartAsync());
            servers.Stores.Add(("etcd, one member", () => new EtcdTokenStore(
                new() { Endpoints = [etcd.Address.ToString()] }, clock, NullLogger<EtcdTokenStore>.Instance)));
            return servers;
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var server in Enumerable.Reverse(_started))
            {
                await server.DisposeAsync();
            }
        }

        private T Keep<T>(T server)
            where T : IAsyncDisposable
        {
            _started.Add(server);
            return server;
        }
    }
}
