using FenceGateway.Fencing;
using FenceGateway.TokenStore;

namespace FenceGateway.Benchmarks;

/// <summary>The embedded store for a token equal to the mark: no I/O.</summary>
[MemoryDiagnoser]
public class EmbeddedStoreBenchmarks
{
    private const int Resources = 10_000;
    private EnterRequest[] _requests = [];
    private TemporaryStore _store = null!;
    private int _next;

    [GlobalSetup]
    public async Task SetUpAsync()
    {
        _store = new TemporaryStore();
        await _store.OpenAsync(Resources, 34);
        _requests = [.. Enumerable.Range(0, Resources).Select(i => _store.Enter(TemporaryStore.Key(i), 34))];
    }

    [GlobalCleanup]
    public async Task CleanUpAsync() => await _store.DisposeAsync();

    [Benchmark]
    public ValueTask<EnterReply> SteadyEnter()
    {
        _next = _next + 1 == Resources ? 0 : _next + 1;
        return _store.Store.EnterAsync(_requests[_next], CancellationToken.None);
    }
}

/// <summary>
/// Raised marks, each durable before it is answered: time of one commit, with so many writers at once.
/// </summary>
[MemoryDiagnoser]
public class DurableCommitBenchmarks
{
    private const int Commits = 64;
    private TemporaryStore _store = null!;
    private ResourceKey[] _keys = [];
    private long _token = 1;

    [Params(1, 16, 64)]
    public int Writers { get; set; }

    [GlobalSetup]
    public async Task SetUpAsync()
    {
        _keys = [.. Enumerable.Range(0, Writers).Select(TemporaryStore.Key)];
        _store = new TemporaryStore();
        await _store.OpenAsync(0, _token);
    }

    [GlobalCleanup]
    public async Task CleanUpAsync() => await _store.DisposeAsync();

    [Benchmark(OperationsPerInvoke = Commits)]
    public async Task Commit()
    {
        var first = _token + 1;
        _token += Commits / Writers;
        var last = _token;
        await Task.WhenAll(_keys.Select(key => RaiseAsync(key, first, last)));
    }

    private async Task RaiseAsync(ResourceKey key, long first, long last)
    {
        for (var token = first; token <= last; token++)
        {
            await _store.Store.EnterAsync(_store.Enter(key, token), CancellationToken.None);
        }
    }
}
