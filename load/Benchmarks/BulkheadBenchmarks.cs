using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.TokenStore;

namespace FenceGateway.Benchmarks;

/// <summary>A place taken and given back when nobody waits, on one core.</summary>
[MemoryDiagnoser]
public class BulkheadBenchmarks
{
    private const int Resources = 1_000;
    private readonly string[] _keys = [.. Enumerable.Range(0, Resources).Select(i => TemporaryStore.Key(i).Value)];
    private TemporaryStore _store = null!;
    private Bulkhead _bulkhead = null!;
    private Bulkhead _adaptive = null!;
    private ResourceBulkheads _resources = null!;
    private int _next;

    [GlobalSetup]
    public void SetUp()
    {
        _store = new TemporaryStore();
        var fenced = new FencedWaiters(new FenceTable(_store.Session, TimeProvider.System, 16));
        var policy = new BulkheadPolicy(64, 32, TimeSpan.FromSeconds(1), null, null);
        _bulkhead = new Bulkhead(new BulkheadName(BulkheadScope.Route, "a"), policy, fenced, TimeProvider.System);
        _adaptive = new Bulkhead(
            new BulkheadName(BulkheadScope.Route, "b"), policy with { Adaptive = new(4, 1024) }, fenced,
            TimeProvider.System);
        _resources = new ResourceBulkheads(
            "a", new ResourceBulkheadPolicy(8, 16, TimeSpan.FromSeconds(1)), fenced, TimeProvider.System);
    }

    [GlobalCleanup]
    public async Task CleanUpAsync() => await _store.DisposeAsync();

    /// <summary>Has a limit, 40 ns.</summary>
    [Benchmark(Baseline = true)]
    public bool EnterAndExit()
    {
        var entered = _bulkhead.TryEnter();
        _bulkhead.Exit();
        return entered;
    }

    /// <summary>Has a limit, 100 ns.</summary>
    [Benchmark]
    public bool EnterAndExitOneResource()
    {
        var entered = _resources.TryEnter(_keys[0], _keys[0], 33, out var bulkhead);
        bulkhead!.Exit(33);
        return entered;
    }

    [Benchmark]
    public bool EnterAndExitOfManyResources()
    {
        _next = _next + 1 == Resources ? 0 : _next + 1;
        var entered = _resources.TryEnter(_keys[_next], _keys[_next], 33, out var bulkhead);
        bulkhead!.Exit(33);
        return entered;
    }

    /// <summary>As a read without a token: the key is a span.</summary>
    [Benchmark]
    public bool EnterAndExitWithoutToken()
    {
        var entered = _resources.TryEnter(_keys[0].AsSpan(), text: null, token: 0, out var bulkhead);
        bulkhead!.Exit(0);
        return entered;
    }

    [Benchmark]
    public bool EnterSampleAndExitAdaptive()
    {
        var entered = _adaptive.TryEnter();
        _adaptive.Sample(TimeSpan.FromMilliseconds(1), dropped: false);
        _adaptive.Exit();
        return entered;
    }
}
