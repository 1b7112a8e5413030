using FenceGateway.Fencing;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Memory;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.Gateway.Tests.Resilience.Bulkheads;

/// <summary>Real fences, whose marks the test raises.</summary>
internal sealed class FencesForTests
{
    private static readonly AdmissionRules Rules = new(Drain: true, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10));
    private readonly FenceTable _table;

    public FencesForTests(TimeProvider time)
    {
        var store = new MemoryTokenStore(time, NullLogger<MemoryTokenStore>.Instance);
        _table = new FenceTable(TestSession.Open(store, time), time, capacity: 64);
        Waiters = new FencedWaiters(_table);
    }

    public FenceTable Table => _table;

    public FencedWaiters Waiters { get; }

    public ResourceFence Of(string key) => _table.Get(key);

    public async Task RaiseAsync(ResourceFence fence, long mark)
    {
        await _table.AdmitAsync(fence, new FencingToken(mark), isWrite: false, Rules, CancellationToken.None);
        fence.Mark.ShouldBeGreaterThanOrEqualTo(mark);
    }
}
