using FenceGateway.Fencing;
using FenceGateway.TokenStore;

namespace FenceGateway.Benchmarks;

/// <summary>
/// The steady check from several threads. The time is that of one check on each thread: it scales as far as it stays
/// where one thread has it. Resources of their own show what the table shares between threads, common ones add that a
/// fence which another core has changed has to come from its cache.
/// </summary>
[MemoryDiagnoser]
public class FenceTableScalingBenchmarks
{
    private const int Resources = 10_000;
    private const int Checks = 400_000;
    private static readonly AdmissionRules Rules = new(Drain: true, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10));
    private static readonly FencingToken Steady = new(34);
    private readonly string[] _keys = [.. Enumerable.Range(0, Resources).Select(i => TemporaryStore.Key(i).Value)];
    private TemporaryStore _store = null!;
    private FenceTable _table = null!;
    private Barrier _barrier = null!;
    private Thread[] _threads = [];
    private volatile bool _stop;

    [Params(1, 2)]
    public int Threads { get; set; }

    [Params(false, true)]
    public bool Common { get; set; }

    [GlobalSetup]
    public async Task SetUpAsync()
    {
        _store = new TemporaryStore();
        await _store.OpenAsync(Resources, Steady.Value);
        _table = new FenceTable(_store.Session, TimeProvider.System, 2 * Resources);
        foreach (var key in _keys)
        {
            await _table.AdmitAsync(_table.Get(key), Steady, isWrite: false, Rules, CancellationToken.None);
        }

        _barrier = new Barrier(Threads + 1);
        _threads = [.. Enumerable.Range(0, Threads).Select(i => new Thread(() => Work(i)))];
        Array.ForEach(_threads, thread => thread.Start());
    }

    [GlobalCleanup]
    public async Task CleanUpAsync()
    {
        _stop = true;
        _barrier.SignalAndWait();
        Array.ForEach(_threads, thread => thread.Join());
        _barrier.Dispose();
        await _store.DisposeAsync();
    }

    [Benchmark(OperationsPerInvoke = Checks)]
    public void SteadyLookUpAndCheck()
    {
        _barrier.SignalAndWait();
        _barrier.SignalAndWait();
    }

    private void Work(int thread)
    {
        var start = thread * Resources / Threads;
        var (first, end) = Common ? (0, Resources) : (start, start + (Resources / Threads));
        while (true)
        {
            _barrier.SignalAndWait();
            if (_stop)
            {
                return;
            }

            for (int i = 0, at = start; i < Checks; i++, at = at + 1 == end ? first : at + 1)
            {
                var fence = _table.Get(_keys[at]);
                fence.TryAdmit(Steady, isWrite: true, out _);
                fence.End(Steady);
            }

            _barrier.SignalAndWait();
        }
    }
}
