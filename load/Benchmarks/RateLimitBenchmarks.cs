using System.Net;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Settings;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;

namespace FenceGateway.Benchmarks;

/// <summary>What a rate limit adds to a request: its partition, its permit, and the fields of its answer.</summary>
[MemoryDiagnoser]
public class RateLimitBenchmarks
{
    private const string Many = "100000000";
    private readonly DefaultHttpContext _context = new();
    private readonly HeaderDictionary _answer = [];
    private readonly GatewayRequest _request =
        new() { CorrelationHeader = "X-Correlation-Id", CorrelationId = "1", TenantId = "acme" };
    private readonly RateLimit _bucket = Create(("PermitLimit", Many), ("PartitionBy:0", "ClientAddress"));
    private readonly RateLimit _combined = Create(
        ("PermitLimit", Many), ("PartitionBy:0", "ClientAddress"), ("PartitionBy:1", "Tenant"),
        ("PartitionBy:2", "Header:Authorization"));

    private readonly RateLimit _window = Create(
        ("Type", "FixedWindow"), ("PermitLimit", Many), ("PartitionBy:0", "ClientAddress"));
    private readonly RateLimit _sliding = Create(
        ("Type", "SlidingWindow"), ("PermitLimit", Many), ("PartitionBy:0", "ClientAddress"));
    private readonly RateLimit _concurrency = Create(
        ("Type", "Concurrency"), ("PermitLimit", Many), ("PartitionBy:0", "ClientAddress"));
    private readonly RateLimit _shared = Create(("PermitLimit", Many));
    private readonly RateLimit _exhausted = Create(
        ("PermitLimit", "1"), ("Window", "23:00:00"), ("PartitionBy:0", "ClientAddress"));
    private readonly RateLimit _attacked = Create(
        ("PermitLimit", "1"), ("Window", "23:00:00"), ("PartitionBy:0", "Header:X-Key"));
    private int _next;

    [GlobalSetup]
    public void SetUp()
    {
        _context.Connection.RemoteIpAddress = IPAddress.Parse("192.0.2.17");
        _context.Request.Headers.Authorization = "Bearer 0123456789abcdef0123456789abcdef";
        for (var i = 0; i < 10_000; i++)
        {
            NewKeyAtTheBound();
        }
    }

    [Benchmark(Baseline = true)]
    public bool TokenBucket() => Take(_bucket);

    [Benchmark]
    public bool TokenBucketWithThreeParts() => Take(_combined);

    [Benchmark]
    public bool TokenBucketWithoutPartitions() => Take(_shared);

    [Benchmark]
    public bool FixedWindow() => Take(_window);

    [Benchmark]
    public bool SlidingWindow() => Take(_sliding);

    /// <summary>.NET's own limiter, whose leases are objects.</summary>
    [Benchmark]
    public bool Concurrency() => Take(_concurrency);

    [Benchmark]
    public bool Exhausted() => Take(_exhausted);

    /// <summary>A key that was never seen, all partitions in use: what an attacker makes the gateway do.</summary>
    [Benchmark]
    public bool NewKeyAtTheBound()
    {
        Span<char> key = stackalloc char[16];
        (_next++).TryFormat(key, out var length);
        var partition = _attacked.Partitions.Enter(key[..length], out _);
        var taken = partition.Limiter.AttemptAcquire().IsAcquired;
        partition.Exit();
        return taken;
    }

    /// <summary>The fields of an answer: two strings in, one of them made.</summary>
    [Benchmark]
    public int Fields()
    {
        _answer.Clear();
        _bucket.Fields.AddTo(_answer, new(4711, TimeSpan.FromSeconds(0.01)));
        return _answer.Count;
    }

    private bool Take(RateLimit limit)
    {
        var partition = limit.Partitions.Enter(_context, _request, out _);
        using var lease = partition.Limiter.AttemptAcquire();
        partition.Exit();
        return lease.IsAcquired;
    }

    private static RateLimit Create(params (string Key, string Value)[] settings)
    {
        var section = new ConfigurationBuilder()
            .AddInMemoryCollection(
                settings.Select(
                    s => KeyValuePair.Create($"FenceGateway:RateLimiterPolicies:p:{s.Key}", (string?)s.Value)))
            .Build()
            .GetSection(SectionNames.Gateway);
        List<ConfigProblem> problems = [];
        var options = new OptionsReader(problems).Read<GatewayOptions>(section);
        var policies = RateLimitPolicyReader.Read(options.RateLimiterPolicies, problems);
        var registry = new RateLimitRegistry(TimeProvider.System);
        return problems.Count == 0 && registry.Apply(policies).TryGetValue("p", out var limit)
            ? limit
            : throw new ArgumentException(string.Join("; ", problems), nameof(settings));
    }
}
