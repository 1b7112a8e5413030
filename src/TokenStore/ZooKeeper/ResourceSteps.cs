namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// The atomic steps at a resource. Each reads, decides purely, and has the decision confirmed in one change of the
/// ensemble that holds only if the node still has the version that was read:
/// <code>
/// multi [ check SESSION NODE,                 the session lives (Enter only)
///         setData NODE, version | create NODE | check NODE, version ]
/// getData NODE, watch                         pipelined behind it: the data for another attempt, or the watch
/// </code>
/// A step that loses a race begins again with the data that won. One that is carried out late, after a lost connection,
/// finds another version. The data that is read may be old: then the version is.
/// </summary>
internal sealed class ResourceSteps(ZooKeeperLink link, ResourceDecisions decisions)
{
    /// <summary>
    /// A node with more data would come near to what ZooKeeper takes in one frame: some 5,000 registered gateways.
    /// </summary>
    private const int MaxData = 512 * 1024;

    private readonly ZooKeeperClient _client = link.Client;

    public ValueTask<EnterReply> EnterAsync(
        ZooKeeperSession session, EnterRequest request, CancellationToken cancellationToken) => RunAsync(
        request.Resource, session, StepKind.Enter,
        (stored, _) => decisions.EnterAsync(stored, request, cancellationToken), cancellationToken);

    public async ValueTask WithdrawAsync(
        string session, Registration registration, CancellationToken cancellationToken) => _ = await RunAsync(
        registration.Resource, null, StepKind.Withdraw,
        (stored, unsettled) => ValueTask.FromResult(decisions.Withdraw(stored, session, registration, unsettled)),
        cancellationToken);

    public async ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        long? before = null;
        return await RunAsync(
            request.Resource, null, StepKind.Operator,
            (stored, _) => decisions.SetMarkAsync(stored, request, before ??= stored.Mark, cancellationToken),
            cancellationToken);
    }

    public ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken) => RunAsync(
        resource, null, StepKind.Operator, (stored, _) => decisions.ResolveAsync(stored, resource, cancellationToken),
        cancellationToken);

    /// <summary>
    /// The node, with every change that was committed before; what is registered there with whether it lives.
    /// </summary>
    public async ValueTask<(StoredResource Stored, ResourceState State)> ReadAsync(
        ResourceKey resource, CancellationToken cancellationToken)
    {
        var stored = await ReadAsync(link.Paths.Resource(resource.Value), resource, caughtUp: true, cancellationToken);
        return (stored, await decisions.RestoreAsync(stored, "", cancellationToken));
    }

    private async ValueTask<T> RunAsync<T>(
        ResourceKey key, ZooKeeperSession? session, StepKind kind,
        Func<StoredResource, bool, ValueTask<Decision<T>>> decide, CancellationToken cancellationToken)
    {
        var resource = link.Resources.Take(key);
        try
        {
            await resource.Turn.WaitAsync(cancellationToken);
            try
            {
                return await RunAsync(resource, session, kind, decide, cancellationToken);
            }
            finally
            {
                resource.Turn.Release();
            }
        }
        catch (ZooKeeperProtocolException e)
        {
            // Of what was read before a step was decided; what is read behind a step does not make it fail.
            throw TokenStoreUnavailableException.NothingTaken(e.Message, e);
        }
        finally
        {
            link.Resources.Return(resource);
        }
    }

    private async ValueTask<T> RunAsync<T>(
        WatchedResource resource, ZooKeeperSession? session, StepKind kind,
        Func<StoredResource, bool, ValueTask<Decision<T>>> decide, CancellationToken cancellationToken)
    {
        var stored = kind == StepKind.Operator ? null : resource.Latest;
        stored ??= await ReadAsync(resource.Path, resource.Key, caughtUp: kind != StepKind.Enter, cancellationToken);
        return await CompareAndSet.RunAsync(stored, TryAsync, () => TokenStoreUnavailableException.NothingTaken(
            $"Other gateways changed {resource.Key} {CompareAndSet.MaxAttempts} times meanwhile."));

        async ValueTask<Attempt<StoredResource, T>> TryAsync(StoredResource now)
        {
            var decision = await decide(now, resource.IsUnsettled);
            if (decision.Next is null && kind != StepKind.Enter)
            {
                return Attempt<StoredResource, T>.Done(decision.Answer);
            }

            cancellationToken.ThrowIfCancellationRequested();
            if (kind == StepKind.Enter)
            {
                resource.IsWaiting = decision.Waits;
            }

            var written = await WriteAsync(resource, session, kind, now, decision.Next, cancellationToken);
            return written.Done
                ? Attempt<StoredResource, T>.Done(decision.Answer)
                : Attempt<StoredResource, T>.Again(
                    written.Fresh ?? await ReadAsync(resource.Path, resource.Key, caughtUp: true, cancellationToken));
        }
    }

    /// <summary>Done, or the race is lost and this is the data that won, if it could be read.</summary>
    private async ValueTask<(bool Done, StoredResource? Fresh)> WriteAsync(
        WatchedResource resource, ZooKeeperSession? session, StepKind kind, StoredResource stored, ResourceNode? next,
        CancellationToken cancellationToken)
    {
        var request = Request(resource, session, stored, next);
        var before = resource.BeginWrite(stored.Version);
        var writing = _client.SendAsync(request, cancellationToken).AsTask();
        var reading = kind == StepKind.Enter
            ? _client.SendAsync(ZooKeeperRequest.GetData(resource.Path, watch: true), CancellationToken.None).AsTask()
            : null;
        var reply = await writing;
        var (error, failed) = reply.IsOk ? FirstError(reply.Value) : (reply.Error, -1);
        if (error != ZooKeeperError.Ok && !error.IsNotTaken())
        {
            throw ZooKeeperFailure.Of(_client, error);
        }

        resource.EndWrite(before);
        if (error == ZooKeeperError.Ok)
        {
            // An operator's step is learnt as if somebody else had taken it, so that this gateway is told as well.
            if (next is not null && kind != StepKind.Operator)
            {
                var stat = reply.Value[^1].Stat;
                _ = resource.Learn(stored.Node is null
                    ? new StoredResource(next, 0, reply.Zxid)
                    : new StoredResource(next, stat.Version, stat.ModifiedZxid));
            }

            _ = await LearnAsync(resource, reading);
            return (true, null);
        }

        if (session is not null
            && (error == ZooKeeperError.SessionExpired || (error == ZooKeeperError.NoNode && failed == 0)))
        {
            link.Ended(session);
            throw TokenStoreUnavailableException.ForEndedSession(session.Id);
        }

        return error is ZooKeeperError.BadVersion or ZooKeeperError.NodeExists
            ? (false, await LearnAsync(resource, reading))
            : throw ZooKeeperFailure.Of(_client, error);
    }

    /// <summary>
    /// What was read behind a step; tells the gateway when somebody has changed it since. Null where it cannot be read:
    /// the step is what it is, and who needs the data reads it again and says so.
    /// </summary>
    private async ValueTask<StoredResource?> LearnAsync(
        WatchedResource resource, Task<ZooKeeperReply<NodeData>>? reading)
    {
        if (reading is null || TryRead(await reading, resource.Key) is not { } fresh)
        {
            return null;
        }

        if (resource.Learn(fresh))
        {
            link.Resources.TellIfConcerned(resource);
        }

        return fresh;
    }

    private ZooKeeperRequest<MultiResult[]> Request(
        WatchedResource resource, ZooKeeperSession? session, StoredResource stored, ResourceNode? next)
    {
        var data = next?.ToData() ?? [];
        if (data.Length > MaxData)
        {
            throw TokenStoreUnavailableException.NothingTaken(
                $"Too many gateways are registered at {resource.Key}: the limit of a node in ZooKeeper.");
        }

        if (stored.Node is not null && stored.Version < 0)
        {
            // The protocol counts versions in 32 bits, and −1 means any.
            throw TokenStoreUnavailableException.NothingTaken(
                $"The node of {resource.Key} in ZooKeeper was written 2^31 times: its versions are used up.");
        }

        var operation = next is null ? MultiOperation.Check(resource.Path, stored.Version)
            : stored.Node is null ? MultiOperation.Create(resource.Path, data, link.IsRestricted)
            : MultiOperation.SetData(resource.Path, data, stored.Version);
        return session is null
            ? ZooKeeperRequest.Multi(operation)
            : ZooKeeperRequest.Multi(MultiOperation.Check(link.Paths.Session(session.Id), -1), operation);
    }

    private async ValueTask<StoredResource> ReadAsync(
        string path, ResourceKey key, bool caughtUp, CancellationToken cancellationToken)
    {
        var catchingUp = caughtUp ? link.CatchUpAsync(cancellationToken) : null;
        var reply = await _client.SendAsync(ZooKeeperRequest.GetData(path, watch: false), cancellationToken);
        if (catchingUp is not null && await catchingUp is var error && error != ZooKeeperError.Ok)
        {
            throw ZooKeeperFailure.NotTaken(_client, error);
        }

        return Check(WatchedResources.ToStored(reply), key) ?? throw ZooKeeperFailure.NotTaken(_client, reply.Error);
    }

    private static StoredResource? TryRead(in ZooKeeperReply<NodeData> reply, ResourceKey key)
    {
        try
        {
            return Check(WatchedResources.ToStored(reply), key);
        }
        catch (ZooKeeperProtocolException)
        {
            return null;
        }
    }

    private static StoredResource? Check(StoredResource? stored, ResourceKey key) =>
        stored?.Node is null || stored.Node.Key == key.Value
        ? stored
        : throw new ZooKeeperProtocolException($"The node of {key} in ZooKeeper holds another resource.");

    /// <summary>The operation that failed has its own error, those around it a neutral one.</summary>
    private static (ZooKeeperError Error, int Operation) FirstError(MultiResult[] results)
    {
        var failed = Array.FindIndex(
            results, r => r.Error is not (ZooKeeperError.Ok or ZooKeeperError.RuntimeInconsistency));
        return failed >= 0 ? (results[failed].Error, failed)
            : results.Any(r => r.Error != ZooKeeperError.Ok) ? (ZooKeeperError.RuntimeInconsistency, -1)
            : (ZooKeeperError.Ok, -1);
    }

    private enum StepKind
    {
        /// <summary>
        /// Begins with what is known, else with what this server has: the version tells whether that is old. Every
        /// answer, a refusal included, is confirmed by the ensemble, and a watch is left.
        /// </summary>
        Enter,

        /// <summary>
        /// Begins with what is known, else with what is committed. Nothing to change needs no confirmation.
        /// </summary>
        Withdraw,

        /// <summary>Begins with what is committed.</summary>
        Operator,
    }
}
