namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>What a step decided: the data to write, if any, and the answer once that is done.</summary>
/// <param name="Next">The new data; null when nothing changes.</param>
/// <param name="Answer">What the caller gets.</param>
/// <param name="Waits">Whether the gateway wants to be told of the next change.</param>
internal readonly record struct Decision<T>(ResourceNode? Next, T Answer, bool Waits = false);

/// <summary>
/// What is decided at a resource from the data that was read, by <see cref="ResourceState"/>. Writes nothing.
/// </summary>
internal sealed class ResourceDecisions(ZooKeeperLink link, TimeProvider time)
{
    private long NowMilliseconds => time.GetUtcNow().ToUnixTimeMilliseconds();

    public async ValueTask<Decision<EnterReply>> EnterAsync(
        StoredResource stored, EnterRequest request, CancellationToken cancellationToken)
    {
        var state = await RestoreAsync(stored, request.Session, cancellationToken);
        var step = state.Enter(
            request.Session, request.Token.Value, request.Oldest.Value, request.Sequence,
            time.ToTicks(request.InDoubtHold), time.GetTimestamp());
        var reply = new EnterReply(
            step.Status, new FencingToken(state.Mark), time.ToSpan(step.HeldFor), step.HeldElsewhere);
        var changes = state.Mark != stored.Mark
            || !state.Writers.Select(w => w with { EndedAt = null }).SequenceEqual(stored.Writers);
        return new Decision<EnterReply>(
            changes ? Next(stored, request.Resource, state) : null, reply, step.Status == EnterStatus.Draining);
    }

    public Decision<bool> Withdraw(StoredResource stored, string session, Registration registration, bool unsettled)
    {
        var rest = stored.Writers.Where(w => w.Session != session || w.Sequence > registration.Sequence).ToList();
        // A step that may be carried out yet finds another version then.
        var changes = stored.Node is not null && (rest.Count < stored.Writers.Count || unsettled);
        return new(changes ? stored.With(registration.Resource.Value, stored.Mark, rest, NowMilliseconds) : null, true);
    }

    public async ValueTask<Decision<bool>> SetMarkAsync(
        StoredResource stored, SetMarkRequest request, long before, CancellationToken cancellationToken)
    {
        var state = await RestoreAsync(stored, request.Session, cancellationToken);
        if (stored.Mark != before
            || !state.TrySetMark(request.Session, request.Mark, time.ToTicks(request.InDoubtHold), time.GetTimestamp()))
        {
            return new(null, false);
        }

        var note = new OperatorNote(request.Actor, request.Reason, NowMilliseconds);
        return new(stored.With(request.Resource.Value, request.Mark, state.Writers, NowMilliseconds, note), true);
    }

    public async ValueTask<Decision<int>> ResolveAsync(
        StoredResource stored, ResourceKey key, CancellationToken cancellationToken)
    {
        var state = await RestoreAsync(stored, "", cancellationToken);
        var resolved = state.Resolve();
        return new(resolved > 0 ? Next(stored, key, state) : null, resolved);
    }

    /// <summary>
    /// The state of a resource, with the end of every session but one's own. Nobody else is registered, mostly: no
    /// round trip.
    /// </summary>
    public async ValueTask<ResourceState> RestoreAsync(
        StoredResource stored, string session, CancellationToken cancellationToken)
    {
        if (stored.Writers.All(w => w.Session == session))
        {
            return ResourceState.Restore(stored.Mark, stored.Writers);
        }

        var writers = await Task.WhenAll(stored.Writers.Select(async w => w.Session != session
            ? w with { EndedAt = await link.Sessions.EndedAtAsync(w.Session, cancellationToken) }
            : w));
        return ResourceState.Restore(stored.Mark, writers);
    }

    private ResourceNode Next(StoredResource stored, ResourceKey key, ResourceState state) => stored.With(
        key.Value, state.Mark, [.. state.Writers.Select(w => w with { EndedAt = null })], NowMilliseconds);
}
