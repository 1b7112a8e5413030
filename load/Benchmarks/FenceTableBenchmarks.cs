using FenceGateway.Fencing;
using FenceGateway.TokenStore;

namespace FenceGateway.Benchmarks;

/// <summary>The check alone, on one core.</summary>
[MemoryDiagnoser]
public class FenceTableBenchmarks
{
    private const int Resources = 10_000;
    private static readonly AdmissionRules Rules = new(Drain: true, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10));
    private static readonly FencingToken Steady = new(34);
    private static readonly FencingToken Late = new(33);
    private readonly string[] _keys = [.. Enumerable.Range(0, Resources).Select(i => TemporaryStore.Key(i).Value)];
    private TemporaryStore _store = null!;
    private FenceTable _table = null!;
    private FenceTable _small = null!;
    private ResourceFence _fence = null!;
    private int _next;

    [GlobalSetup]
    public async Task SetUpAsync()
    {
        _store = new TemporaryStore();
        await _store.OpenAsync(Resources, Steady.Value);
        _table = new FenceTable(_store.Session, TimeProvider.System, 2 * Resources);
        _small = new FenceTable(_store.Session, TimeProvider.System, 16);
        foreach (var key in _keys)
        {
            await _table.AdmitAsync(_table.Get(key), Steady, isWrite: false, Rules, CancellationToken.None);
        }

        _fence = _table.Get(_keys[0]);
    }

    [GlobalCleanup]
    public async Task CleanUpAsync() => await _store.DisposeAsync();

    /// <summary>The part that has a limit, 200 ns.</summary>
    [Benchmark(Baseline = true)]
    public bool SteadyCheck()
    {
        var admitted = _fence.TryAdmit(Steady, isWrite: true, out _);
        _fence.End(Steady);
        return admitted;
    }

    [Benchmark]
    public bool SteadyLookUpAndCheck()
    {
        var fence = _table.Get(NextKey());
        var admitted = fence.TryAdmit(Steady, isWrite: true, out _);
        fence.End(Steady);
        return admitted;
    }

    [Benchmark]
    public bool StaleLookUpAndCheck() => Late.Value < _table.Get(NextKey()).Mark;

    /// <summary>A resource whose fence was evicted: rebuilt from the store's memory, which is asked again.</summary>
    [Benchmark]
    public async ValueTask<AdmissionStatus> ColdEntry()
    {
        var fence = _small.Get(NextKey());
        var admission = await _small.AdmitAsync(fence, Steady, isWrite: true, Rules, CancellationToken.None);
        admission.Fence.End(Steady);
        return admission.Status;
    }

    private string NextKey()
    {
        _next = _next + 1 == Resources ? 0 : _next + 1;
        return _keys[_next];
    }
}
