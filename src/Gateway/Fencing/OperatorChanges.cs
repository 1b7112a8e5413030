using FenceGateway.Fencing;
using FenceGateway.Gateway.Admin;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Fencing;

/// <summary>Operators' changes of marks, which wait for registrations that nothing uses.</summary>
/// <param name="table">The fence.</param>
/// <param name="store">Knows who is registered.</param>
/// <param name="time">The clock of the wait.</param>
/// <param name="registrationIdle">For how long a gateway keeps a registration without use, at least; at most twice as
/// long.</param>
internal sealed class OperatorChanges(
    FenceTable table, StoreClient store, TimeProvider time, TimeSpan registrationIdle)
{
    /// <summary>How long an operator waits, at most.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>
    /// As <see cref="FenceTable.SetMarkAsync"/>. A gateway keeps its registration for a while after its last write: as
    /// long as nothing but registrations of gateways that live is in the way, the change is tried again, until each of
    /// them has had the time to go. Whether one has writes in flight is known to that gateway alone, so none is taken
    /// from it (R11).
    /// </summary>
    public async ValueTask<OperatorStatus> SetMarkAsync(
        ResourceKey resource, long mark, TimeSpan inDoubtHold, AdminChange change, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var patience = TimeSpan.FromTicks(Math.Min(LongestWait.Ticks, 2 * (registrationIdle + Pause).Ticks));
        while (true)
        {
            var status = await table.SetMarkAsync(
                resource, mark, inDoubtHold, change.Reason, change.Actor, cancellationToken);
            if (status != OperatorStatus.Busy || time.GetElapsedTime(began) >= patience
                || !await IsOnlyRegisteredAsync(resource, cancellationToken))
            {
                return status;
            }

            await Task.Delay(Pause, time, cancellationToken);
        }
    }

    private async ValueTask<bool> IsOnlyRegisteredAsync(ResourceKey resource, CancellationToken cancellationToken) =>
        table.Inspect(resource) is null or { InFlight: 0, InDoubt.Count: 0 }
        && await store.FindAsync(resource, cancellationToken) is { } record
        && record.Writers.All(writer => writer.EndedFor is null);
}
