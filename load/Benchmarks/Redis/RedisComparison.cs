using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Redis;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace FenceGateway.Benchmarks.Redis;

/// <summary>
/// The first write of a token, one step of the Redis store, against a plain scripted round trip of the same client: the
/// check that is often written by hand, which compares a number, keeps it, and knows of nobody else. Calls take turns
/// in one run; each variant has a connection of its own to one server on this machine.
/// </summary>
internal static class RedisComparison
{
    private const int Rounds = 40;
    private const int Callers = 64;
    private const double Limit = 1.3;

    private const string PlainCheck =
        """
        local mark = redis.call('GET', KEYS[1])
        if mark and tonumber(mark) > tonumber(ARGV[1]) then return 0 end
        redis.call('SET', KEYS[1], ARGV[1])
        return 1
        """;

    public static async Task<int> RunAsync(string[] args, TextWriter output)
    {
        var calls = args is [var text] ? int.Parse(text, CultureInfo.InvariantCulture) : 250;
        var missed = false;
        foreach (var fsync in new[] { "no", "always" })
        {
            await using var server = await RedisServer.StartAsync(new RedisServerOptions { AppendFsync = fsync });
            await using var plain = new Plain(await ConnectionMultiplexer.ConnectAsync(server.Configuration));
            await using var store = await Store.OpenAsync(server);
            await output.WriteLineAsync(
                $"appendfsync {fsync}: {Rounds} rounds of {calls} calls each, µs a call; then {Callers} callers, "
                    + "calls/s");
            missed |= !await CompareAsync(calls, plain, store, output);
        }

        await output.WriteLineAsync(
            missed
                ? $"MISSED: more than {Limit} times the plain round trip"
                : $"within {Limit} times the plain round trip");
        return missed ? 1 : 0;
    }

    private static async Task<bool> CompareAsync(int calls, Plain plain, Store store, TextWriter output)
    {
        Variant[] variants =
            [new("plain script", plain.CheckAsync), new("first write", store.FirstAsync), new("takeover", store.TakeOverAsync)];
        foreach (var variant in variants)
        {
            await variant.RunAsync(calls * 4, keep: false);
        }

        for (var round = 0; round < Rounds; round++)
        {
            foreach (var variant in variants)
            {
                await variant.RunAsync(calls, keep: true);
            }
        }

        await output.WriteLineAsync("                     min     median        p99   ratio of medians      calls/s");
        foreach (var variant in variants)
        {
            var rate = await variant.RateAsync(calls * 10);
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"{variant.Name,-15} {variant.At(0),8:F1}   {variant.At(0.5),8:F1}   {variant.At(0.99),8:F1}   "
                + $"{variant.At(0.5) / variants[0].At(0.5),16:F2}   {rate,10:F0}"));
        }

        return variants[1].At(0.5) <= Limit * variants[0].At(0.5);
    }

    private sealed class Variant(string name, Func<int, Task> call)
    {
        private readonly List<double> _microseconds = [];
        private int _next;

        public string Name => name;

        public async Task RunAsync(int calls, bool keep)
        {
            for (var i = 0; i < calls; i++)
            {
                var start = TimeProvider.System.GetTimestamp();
                await call(_next++);
                if (keep)
                {
                    _microseconds.Add(TimeProvider.System.GetElapsedTime(start).TotalMicroseconds);
                }
            }

            _microseconds.Sort();
        }

        public double At(double part) => _microseconds[(int)(part * (_microseconds.Count - 1))];

        public async Task<double> RateAsync(int calls)
        {
            var start = TimeProvider.System.GetTimestamp();
            await Task.WhenAll(Enumerable.Range(0, Callers).Select(async _ =>
            {
                for (var i = 0; i < calls / Callers; i++)
                {
                    await call(Interlocked.Increment(ref _next));
                }
            }));
            return calls / Callers * Callers / TimeProvider.System.GetElapsedTime(start).TotalSeconds;
        }
    }

    private sealed class Plain(ConnectionMultiplexer client) : IAsyncDisposable
    {
#pragma warning disable CA5350 // Redis names scripts by their SHA-1.
        private readonly byte[] _hash = SHA1.HashData(Encoding.UTF8.GetBytes(PlainCheck));
#pragma warning restore CA5350
        private readonly IDatabase _database = client.GetDatabase();
        private bool _known;

        public async Task CheckAsync(int call)
        {
            if (!_known)
            {
                await _database.ExecuteAsync("SCRIPT", "LOAD", PlainCheck);
                _known = true;
            }

            await _database.ScriptEvaluateAsync(_hash, [$"plain:{call % 1000}"], [call]);
        }

        public async ValueTask DisposeAsync() => await client.CloseAsync(false);
    }

    /// <summary>Two gateways on one store.</summary>
    private sealed class Store : IAsyncDisposable
    {
        private readonly RedisTokenStore _store;
        private long _sequence;

        private Store(RedisTokenStore store) => _store = store;

        public static async Task<Store> OpenAsync(RedisServer server)
        {
            var store = new RedisTokenStore(
                new RedisTokenStoreOptions { Configuration = server.Configuration }, TimeProvider.System,
                NullLogger<RedisTokenStore>.Instance);
            await store.OpenAsync(default);
            await store.StartSessionAsync("one", TimeSpan.FromHours(1), default);
            await store.StartSessionAsync("two", TimeSpan.FromHours(1), default);
            return new Store(store);
        }

        /// <summary>A token that the resource has not seen, from the gateway that wrote there before.</summary>
        public async Task FirstAsync(int call) => await EnterAsync("one", $"first/{call % 1000}", call + 1);

        /// <summary>
        /// The same from another gateway each time, with the withdrawal of the one before: three round trips.
        /// </summary>
        public async Task TakeOverAsync(int call)
        {
            var (resource, before, after) = ($"taken/{call}", "one", "two");
            await EnterAsync(before, resource, 1);
            await _store.WithdrawAsync(before, [new Registration(Key(resource), _sequence)], default);
            await EnterAsync(after, resource, 2);
        }

        public ValueTask DisposeAsync() => _store.DisposeAsync();

        private async Task EnterAsync(string session, string resource, long token)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            var reply = await _store.EnterAsync(
                new EnterRequest(
                    session, Key(resource), new FencingToken(token), new FencingToken(token),
                    Interlocked.Increment(ref _sequence),
                    TimeSpan.FromSeconds(10)),
                limit.Token);
            if (reply.Status == EnterStatus.Draining)
            {
                throw new InvalidOperationException("Nobody else was there");
            }
        }

        private static ResourceKey Key(string text) =>
            ResourceKey.TryCreate(text, out var key) ? key : throw new ArgumentException("Not a key", nameof(text));
    }
}
