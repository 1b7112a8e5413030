namespace FenceGateway.TokenStore.Etcd;

/// <summary>The calls that the store makes, with what is read from their answers. Every read is linearizable.</summary>
internal sealed class EtcdCalls(EtcdClient client, EtcdKeys keys)
{
    public EtcdKeys Keys => keys;

    public async Task<EtcdTransactionReply> TransactAsync(
        IEnumerable<EtcdCompare> compare,
        IEnumerable<EtcdOperation> success,
        IEnumerable<EtcdOperation> failure,
        CancellationToken cancellationToken)
    {
        var transaction = new EtcdTransaction([.. compare], [.. success], [.. failure]);
        var reply = await client.CallAsync(
            "/v3/kv/txn", transaction, EtcdJson.Default.EtcdTransaction, EtcdJson.Default.EtcdTransactionReply, cancellationToken);
        var answered = reply.Responses?.Length ?? 0;
        return reply.Header is { Revision: > 0 } && answered == (reply.Succeeded ? transaction.Success : transaction.Failure).Count
            ? reply
            : throw Malformed("a transaction");
    }

    public async Task<EtcdRangeReply> RangeAsync(EtcdRange range, CancellationToken cancellationToken)
    {
        var reply = await client.CallAsync(
            "/v3/kv/range", range, EtcdJson.Default.EtcdRange, EtcdJson.Default.EtcdRangeReply, cancellationToken);
        return reply.Header is { Revision: > 0 } ? reply : throw Malformed("a read");
    }

    /// <summary>A new lease; its id and the seconds that etcd granted.</summary>
    public async Task<(long Id, TimeSpan TimeToLive)> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        var grant = new EtcdLeaseGrant((long)Math.Ceiling(timeToLive.TotalSeconds));
        var reply = await client.CallAsync(
            "/v3/lease/grant", grant, EtcdJson.Default.EtcdLeaseGrant, EtcdJson.Default.EtcdLeaseReply, cancellationToken);
        return reply is { Error: null or "", Id: > 0, TimeToLive: > 0 and < 1_000_000_000 }
            ? (reply.Id, TimeSpan.FromSeconds(reply.TimeToLive))
            : throw Malformed("a new lease");
    }

    /// <summary>Prolongs a lease. Whether there was something to prolong, and the Raft term of the member that was asked.</summary>
    public async Task<(bool Prolonged, ulong Term)> KeepLeaseAsync(long lease, CancellationToken cancellationToken)
    {
        var reply = await client.CallAsync(
            "/v3/lease/keepalive",
            new EtcdLeaseId(lease),
            EtcdJson.Default.EtcdLeaseId,
            EtcdJson.Default.EtcdStreamEtcdLeaseReply,
            cancellationToken);
        return reply.Result is { Header: not null } result && result.Id == lease
            ? (result.TimeToLive > 0, result.Header.RaftTerm)
            : throw Malformed("a prolonged lease");
    }

    /// <summary>Ends a lease with all keys bound to it. One that has ended already is no error.</summary>
    public async Task RevokeLeaseAsync(long lease, CancellationToken cancellationToken)
    {
        try
        {
            _ = await client.CallAsync(
                "/v3/lease/revoke", new EtcdLeaseId(lease), EtcdJson.Default.EtcdLeaseId, EtcdJson.Default.EtcdNothing, cancellationToken);
        }
        catch (EtcdException e) when (e.Code == EtcdException.NotFound)
        {
        }
    }

    public async Task<(string Version, int Voters)> DescribeAsync(CancellationToken cancellationToken)
    {
        var nothing = new EtcdNothing();
        var status = await client.CallAsync(
            "/v3/maintenance/status", nothing, EtcdJson.Default.EtcdNothing, EtcdJson.Default.EtcdStatusReply, cancellationToken);
        var members = await client.CallAsync(
            "/v3/cluster/member/list", nothing, EtcdJson.Default.EtcdNothing, EtcdJson.Default.EtcdMembersReply, cancellationToken);
        var voters = members.Members?.Count(m => m is { IsLearner: false }) ?? 0;
        return status.Version is { Length: > 0 } version && voters > 0 ? (version, voters) : throw Malformed("a question for its members");
    }

    /// <summary>Reads a resource and the sessions; the operations of a transaction's failure branch, or of one without conditions.</summary>
    public IEnumerable<EtcdOperation> Reads(string resource) =>
        [Read(keys.Mark(resource)), Read(keys.Writers(resource)), ReadSessions()];

    public static EtcdOperation Read(byte[] key) => new(RequestRange: new EtcdRange(key));

    public EtcdOperation ReadSessions() =>
        new(RequestRange: new EtcdRange(keys.Sessions, EtcdKeys.EndOf(keys.Sessions), KeysOnly: true));

    /// <summary>The key that the read at <paramref name="index"/> found; null when it is absent.</summary>
    public static EtcdKeyValue? Found(EtcdTransactionReply reply, int index) => All(reply, index) is [var kv, ..] ? kv : null;

    public static EtcdKeyValue[] All(EtcdTransactionReply reply, int index)
    {
        var kvs = (reply.Responses![index]?.ResponseRange ?? throw Malformed("a transaction")).Kvs ?? [];
        return Array.Exists(kvs, kv => kv?.Key is null) ? throw Malformed("a transaction") : kvs;
    }

    public EtcdSessionList Sessions(EtcdTransactionReply reply, int index) => EtcdSessionList.Read(keys, All(reply, index));

    /// <summary>The resource as the reads at <paramref name="first"/> and the one after it found it.</summary>
    public static EtcdResource Refresh(string resource, EtcdTransactionReply reply, int first = 0) => new EtcdResource(resource)
        .WithMark(Found(reply, first), reply.Header!.Revision)
        .WithWriters(Found(reply, first + 1), reply.Header.Revision);

    public static EtcdException Malformed(string what) =>
        new($"etcd answered {what} with something that makes no sense.", 0, notTaken: false);
}
