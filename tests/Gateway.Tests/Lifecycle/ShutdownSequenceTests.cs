using FenceGateway.Fencing;
using FenceGateway.Gateway.Lifecycle;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Conformance;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.Gateway.Tests.Lifecycle;

public sealed class ShutdownSequenceTests
{
    private static readonly AdmissionRules Rules = new(Drain: true, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10));
    private readonly ManualTimeProvider _time = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task StoppedAsync_WithdrawalFails_TheSessionEndsAllTheSameAndQuietlyWhereNothingIsInFlight(
        bool inFlight)
    {
        await using var store = new SharedScript { WithdrawFault = new TokenStoreUnavailableException("not now") };
        await using var session = TestSession.Open(store, _time);
        var table = new FenceTable(session, _time, capacity: 16);
        foreach (var key in new[] { "orders/1", "orders/2" })
        {
            var admitting = table.AdmitAsync(
                table.Get(key), new FencingToken(33), isWrite: true, Rules, CancellationToken.None);
            await store.ReplyAsync(EnterStatus.Admitted, 33);
            await admitting;
        }

        table.Get("orders/1").End(new FencingToken(33));
        if (!inFlight)
        {
            table.Get("orders/2").End(new FencingToken(33));
        }

        using var signal = new ShutdownSignal();
        var sequence = new ShutdownSequence(
            session, table, new HealthState(session, new RouterState(), signal), signal, TimeSpan.Zero, _time,
            NullLogger<ShutdownSequence>.Instance);

        await sequence.StoppedAsync(CancellationToken.None);

        store.Withdrawn.ShouldNotBeEmpty();
        store.Ended.ShouldBe([(session.Current!.Id, !inFlight)]);
        store.IsDisposed.ShouldBeTrue();
    }
}
