namespace FenceGateway.TokenStore;

/// <summary>
/// The fence of one gateway in front of its <see cref="ITokenStore"/>: admits, refuses, drains (rules R1–R8). A steady
/// write, one whose token this gateway has entered with, costs one look-up and one uncontended lock and never asks the
/// store.
/// </summary>
/// <remarks>Safe for use by several threads.</remarks>
public sealed class FenceTable
{
    private readonly FenceCache _fences;
    private readonly StoreClient _client;
    private readonly TimeProvider _time;
    private readonly FenceAdmission _admission;
    private readonly FenceRegistrations _registrations;

    /// <summary>Makes the table.</summary>
    /// <param name="client">This gateway's client of the store.</param>
    /// <param name="time">The clock for holds and time-outs.</param>
    /// <param name="capacity">How many resources it holds before it evicts idle ones; at twice as many it refuses new
    /// ones.</param>
    /// <param name="registrationIdle">How long a registration in a shared store is kept while nothing is admitted on
    /// it, at least; at most twice as long. Default: 10 s.</param>
    public FenceTable(StoreClient client, TimeProvider time, int capacity, TimeSpan? registrationIdle = null)
    {
        _client = client;
        _time = time;
        _fences = new FenceCache(client, time, capacity, fence => _registrations!.WithdrawUnused(fence));
        _registrations = new FenceRegistrations(client, time, _fences, registrationIdle ?? TimeSpan.FromSeconds(10));
        _admission = new FenceAdmission(client, time, _fences, fence => MarkRaised?.Invoke(fence));
    }

    /// <summary>
    /// Called outside of any lock after the durable mark of a resource has risen, by an admission or by an operator:
    /// requests with older tokens that wait elsewhere need not wait any longer. The mark is in
    /// <see cref="ResourceFence.Mark"/>.
    /// </summary>
    /// <remarks>Set before the table is used. Has to be quick and must not throw. A rise that this gateway only learns
    /// of when it makes a fence anew is not told.</remarks>
    public event Action<ResourceFence>? MarkRaised;

    /// <summary>Resources held now.</summary>
    public int Count => _fences.Count;

    /// <summary>
    /// The fence of a resource; its <see cref="ResourceFence.Mark"/> is as the store's memory knows it.
    /// </summary>
    /// <param name="key">A valid key (<see cref="ResourceKey.IsValid"/>).</param>
    /// <exception cref="TokenStoreUnavailableException">Too many resources are active at once.</exception>
    public ResourceFence Get(ReadOnlySpan<char> key) => _fences.Get(key);

    /// <summary>
    /// Admits a write or a read, as the last step before it is forwarded: seals, drains, admits, or says why not. Waits
    /// at most for the drain time-out of <paramref name="rules"/>.
    /// </summary>
    /// <param name="fence">From <see cref="Get"/>; the answer names the one that decided, which may be a newer
    /// one.</param>
    /// <param name="token">The token presented.</param>
    /// <param name="isWrite">Whether it is in flight afterwards; a read is only ordered.</param>
    /// <param name="rules">The policy's rules.</param>
    /// <param name="cancellationToken">Stops the wait, with <see cref="OperationCanceledException"/>; nothing is in
    /// flight then.</param>
    /// <exception cref="TokenStoreUnavailableException">Too many resources are active at once; the store was not
    /// asked.</exception>
    public ValueTask<Admission> AdmitAsync(
        ResourceFence fence, FencingToken token, bool isWrite, AdmissionRules rules,
        CancellationToken cancellationToken) =>
        _admission.AdmitAsync(fence, token, isWrite, rules, cancellationToken);

    /// <summary>
    /// Whether a write that is in flight may be sent once more, decided at once: only while nothing newer has been
    /// sealed, for whatever is newer waits for this write to end.
    /// </summary>
    public bool StillAdmits(ResourceFence fence, FencingToken token, AdmissionRules rules)
    {
        lock (fence.Gate)
        {
            return fence.NextLocked(
                token.Value, rules, _time.GetTimestamp(), fence.EntersBegun).Kind == FenceStepKind.Admit;
        }
    }

    /// <summary>
    /// Advances the mark after a success, for <see cref="AdmissionRules.AdvanceOnSuccess"/>. Null, or why it could not.
    /// </summary>
    public async ValueTask<string?> AdvanceAsync(
        ResourceFence fence, FencingToken token, AdmissionRules rules, CancellationToken cancellationToken)
    {
        if (fence.Mark >= token.Value)
        {
            return null;
        }

        var admission = await _admission.AdmitAsync(fence, token, isWrite: false, rules.SealOnly, cancellationToken);
        return admission.Fault;
    }

    /// <summary>
    /// Raises a mark that another store has promised, without a barrier: older tokens are refused from now on. This
    /// gateway does not stay registered for it. Null, or why it could not.
    /// </summary>
    /// <param name="resource">The resource; need not be known yet.</param>
    /// <param name="mark">The mark; a higher one stays.</param>
    /// <param name="inDoubtHold">How long writes of a gateway that is gone count: at least as long as in any
    /// policy.</param>
    /// <param name="cancellationToken">Ends the wait; it may or may not have been raised then.</param>
    /// <exception cref="TokenStoreUnavailableException">Too many resources are active at once.</exception>
    public async ValueTask<string?> MergeAsync(
        ResourceKey resource, FencingToken mark, TimeSpan inDoubtHold, CancellationToken cancellationToken)
    {
        var rules = new AdmissionRules(Drain: false, DrainTimeout: TimeSpan.Zero, inDoubtHold);
        var admission = await _admission.AdmitAsync(
            Get(resource.Value), mark, isWrite: false, rules, cancellationToken);
        if (admission.Status == AdmissionStatus.Admitted)
        {
            _registrations.WithdrawUnused(admission.Fence);
        }

        return admission.Fault;
    }

    /// <summary>What this gateway knows of a resource; null when it holds nothing of it.</summary>
    public ResourceSnapshot? Inspect(ResourceKey resource)
    {
        if (!_fences.TryFind(resource, out var fence))
        {
            return null;
        }

        var now = _time.GetTimestamp();
        lock (fence.Gate)
        {
            fence.Active.Sweep(now);
            var inDoubt = fence.Active.InDoubt
                .Select(w => (new FencingToken(w.Token), _time.GetElapsedTime(now, w.Until))).ToArray();
            return new ResourceSnapshot(fence.Mark, fence.Active.InFlight, inDoubt);
        }
    }

    /// <summary>
    /// Writes in flight, and tokens with writes in doubt, over all resources; for gauges and for the end of the
    /// process.
    /// </summary>
    public (int InFlight, int InDoubt) CountActive() =>
        LookAtAll(static fence => (fence.Active.InFlight, fence.Active.InDoubt.Count))
        .Aggregate(
            (InFlight: 0, InDoubt: 0), static (all, one) => (all.InFlight + one.InFlight, all.InDoubt + one.Count));

    /// <summary>Resources with writes in flight or in doubt at this gateway.</summary>
    public IReadOnlyList<ResourceKey> ListActive() =>
    [
        .. LookAtAll(static fence => fence.Active.IsEmpty ? null : fence).OfType<ResourceFence>()
            .Select(static fence => fence.Resource),
    ];

    /// <summary>Resources at which this gateway is registered in the store; for people.</summary>
    public int CountRegistered() =>
        LookAtAll(static fence => fence.StateLocked.IsRegistered).Count(static isRegistered => isRegistered);

    /// <summary>
    /// Stops to admit, for good: every admission is either counted by <see cref="CountActive"/> afterwards or refused.
    /// </summary>
    public void Close()
    {
        _registrations.Stop();
        _fences.Close();
    }

    /// <summary>
    /// After <see cref="Close"/>: takes back every registration that nothing relies on, so that nobody has to wait for
    /// this gateway's session to end.
    /// </summary>
    /// <exception cref="TokenStoreUnavailableException">The store could not be told.</exception>
    public Task WithdrawIdleAsync() => _registrations.WithdrawIdleAsync();

    /// <summary>
    /// An operator's mark, higher or lower, while nothing is in flight or in doubt at any gateway (R11).
    /// </summary>
    /// <param name="resource">The resource; need not be known yet.</param>
    /// <param name="mark">The new mark, 0 or greater; 0 forgets every token seen.</param>
    /// <param name="inDoubtHold">How long writes of a gateway that is gone count.</param>
    /// <param name="reason">Why, in the operator's words.</param>
    /// <param name="actor">Who, as far as known.</param>
    /// <param name="cancellationToken">Ends the wait; it may or may not have been changed then.</param>
    /// <exception cref="TokenStoreUnavailableException">It may or may not have been changed.</exception>
    public async ValueTask<OperatorStatus> SetMarkAsync(
        ResourceKey resource, long mark, TimeSpan inDoubtHold, string reason, string actor,
        CancellationToken cancellationToken)
    {
        var fence = Get(resource.Value);
        lock (fence.Gate)
        {
            if (fence.StateLocked.IsBeingSet)
            {
                return OperatorStatus.Changing;
            }

            if (!fence.TryBeginSetMarkLocked(_time.GetTimestamp()))
            {
                return OperatorStatus.Busy;
            }
        }

        var request = new SetMarkRequest(_client.Current?.Id ?? "", resource, mark, inDoubtHold, reason, actor);
        bool isSet;
        try
        {
            isSet = await _client.SetMarkAsync(request, cancellationToken);
        }
        catch
        {
            // The mark may have been changed: nothing that is known of it counts any more.
            fence.Change(() => fence.StateLocked.EndSetMark(null));
            _fences.Drop(fence);
            throw;
        }

        var before = fence.Mark;
        fence.Change(() => fence.StateLocked.EndSetMark(isSet ? mark : null));
        if (!isSet)
        {
            var found = await _client.FindAsync(resource, cancellationToken);
            var isFree = found?.Writers
                .All(writer => writer.Session == request.Session || writer.EndedFor >= inDoubtHold) is true;
            return isFree ? OperatorStatus.Changing : OperatorStatus.Busy;
        }

        if (mark > before)
        {
            MarkRaised?.Invoke(fence);
        }

        return OperatorStatus.Done;
    }

    /// <summary>
    /// An operator's word that nothing in doubt can be applied any more, be it this gateway's or left behind by one
    /// that is gone. How many holds that ended at this gateway, and how many in the store.
    /// </summary>
    /// <exception cref="TokenStoreUnavailableException">The store cannot tell.</exception>
    public async ValueTask<(int Here, int InStore)> ResolveAsync(
        ResourceKey resource, CancellationToken cancellationToken)
    {
        var inStore = await _client.ResolveAsync(resource, cancellationToken);
        var here = 0;
        if (_fences.TryFind(resource, out var fence))
        {
            fence.Change(() => here = fence.ResolveLocked());
        }

        return (here, inStore);
    }

    private IEnumerable<T> LookAtAll<T>(Func<ResourceFence, T> lookLocked)
    {
        var now = _time.GetTimestamp();
        foreach (var fence in _fences.All)
        {
            T seen;
            lock (fence.Gate)
            {
                fence.Active.Sweep(now);
                seen = lookLocked(fence);
            }

            yield return seen;
        }
    }
}
