using FenceGateway.Simulation.Kernel;
using FenceGateway.TokenStore;

namespace FenceGateway.Simulation.Parts;

/// <summary>A gateway's client of the shared store: questions and answers over a link.</summary>
internal sealed class StoreLink : SimulatedClient
{
    private static readonly TimeSpan ConnectsEvery = TimeSpan.FromMilliseconds(250);

    private readonly SimulatedStore _store;
    private readonly Link _link;
    private readonly SimulatedProcess _process;
    private readonly Flaw _flaw;

    public StoreLink(SimulatedStore store, Link link, SimulatedProcess process, Flaw flaw)
        : base(store.Info)
    {
        (_store, _link, _process, _flaw) = (store, link, process, flaw);
        store.Told.Add(Hear);
    }

    /// <summary>As a driver connects: it tries until it gets through.</summary>
    public override async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        var open = new TaskCompletionSource<bool>();
        await using var tries = _process.Clock.CreateTimer(
            _ => Ask(static _ => true, open), null, TimeSpan.Zero, ConnectsEvery);
        await using var given = cancellationToken.Register(() => open.TrySetCanceled(cancellationToken));
        await open.Task;
    }

    public override async ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken) =>
        await CallAsync(store => store.StartSession(session, timeToLive), cancellationToken);

    public override async ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken) =>
        await CallAsync(store => store.Beat(session), cancellationToken);

    public override async ValueTask EndSessionAsync(
        string session, bool isClean, CancellationToken cancellationToken) =>
        await CallAsync(store => store.EndSession(session, isClean), cancellationToken);

    public override async ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken) =>
        await CallAsync(store => store.Enter(request), cancellationToken);

    public override async ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken)
    {
        if (_flaw != Flaw.NeverWithdraws)
        {
            await CallAsync(store => store.Withdraw(session, registrations), cancellationToken);
        }
    }

    public override ValueTask DisposeAsync()
    {
        _store.Told.Remove(Hear);
        return ValueTask.CompletedTask;
    }

    private void Hear(ResourceChange change) => _link.Send(() => _process.Run(() => Tell(change)));

    private void Ask<T>(Func<SimulatedStore, T> operation, TaskCompletionSource<T> answer) =>
        _link.Send(() => _store.Execute(operation, (result, refusal) => _link.Send(() => _process.Run(() =>
            _ = refusal is null ? answer.TrySetResult(result!) : answer.TrySetException(refusal)))));

    private async Task<T> CallAsync<T>(Func<SimulatedStore, T> operation, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource<T>();
        Ask(operation, answer);
        await using var given = cancellationToken.Register(() => answer.TrySetCanceled(cancellationToken));
        return await answer.Task;
    }
}
