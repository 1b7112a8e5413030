using FenceGateway.TokenStore.Etcd.Wire;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Grpc.Core;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>The calls that the store makes, with what is read from their answers. Every read is linearizable.</summary>
internal sealed class EtcdCalls(EtcdClient client, EtcdKeys keys)
{
    public EtcdKeys Keys => keys;

    public async Task<TxnResponse> TransactAsync(
        IEnumerable<Compare> compare,
        IEnumerable<RequestOp> success,
        IEnumerable<RequestOp> failure,
        CancellationToken cancellationToken)
    {
        var transaction = new TxnRequest { Compare = { compare }, Success = { success }, Failure = { failure } };
        var reply = await client.CallAsync((m, options) => m.KV.TxnAsync(transaction, options), cancellationToken);
        var asked = reply.Succeeded ? transaction.Success : transaction.Failure;
        return reply.Header is { Revision: > 0 } && reply.Responses.Count == asked.Count
            ? reply
            : throw Malformed("a transaction");
    }

    public async Task<RangeResponse> RangeAsync(RangeRequest range, CancellationToken cancellationToken)
    {
        var reply = await client.CallAsync((m, options) => m.KV.RangeAsync(range, options), cancellationToken);
        return reply.Header is { Revision: > 0 } ? reply : throw Malformed("a read");
    }

    /// <summary>A new lease; its id and the seconds that etcd granted.</summary>
    public async Task<(long Id, TimeSpan TimeToLive)> GrantLeaseAsync(
        TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        var grant = new LeaseGrantRequest { TTL = (long)Math.Ceiling(timeToLive.TotalSeconds) };
        var reply = await client.CallAsync((m, options) => m.Lease.LeaseGrantAsync(grant, options), cancellationToken);
        return reply is { Error: "", ID: > 0, TTL: > 0 and < 1_000_000_000 }
            ? (reply.ID, TimeSpan.FromSeconds(reply.TTL))
            : throw Malformed("a new lease");
    }

    /// <summary>
    /// Prolongs a lease. Whether there was something to prolong, and the Raft term of the member that was asked.
    /// </summary>
    public async Task<(bool Prolonged, ulong Term)> KeepLeaseAsync(long lease, CancellationToken cancellationToken)
    {
        var keep = new LeaseKeepAliveRequest { ID = lease };
        var reply = await client.CallAsync(
            (m, options) => m.Lease.LeaseKeepAliveAsync(keep, options), cancellationToken);
        return reply.Header is not null && reply.ID == lease
            ? (reply.TTL > 0, reply.Header.RaftTerm)
            : throw Malformed("a prolonged lease");
    }

    /// <summary>Ends a lease with all keys bound to it. One that has ended already is no error.</summary>
    public async Task RevokeLeaseAsync(long lease, CancellationToken cancellationToken)
    {
        try
        {
            var revoke = new LeaseRevokeRequest { ID = lease };
            _ = await client.CallAsync((m, options) => m.Lease.LeaseRevokeAsync(revoke, options), cancellationToken);
        }
        catch (EtcdException e) when (e.Code == StatusCode.NotFound)
        {
        }
    }

    public async Task<(string Version, int Voters)> DescribeAsync(CancellationToken cancellationToken)
    {
        var status = await client.CallAsync(
            (m, options) => m.Maintenance.StatusAsync(new StatusRequest(), options), cancellationToken);
        var members = await client.CallAsync(
            (m, options) => m.Cluster.MemberListAsync(new MemberListRequest(), options), cancellationToken);
        var voters = members.Members.Count(m => !m.IsLearner);
        return status.Version.Length > 0 && voters > 0
            ? (status.Version, voters)
            : throw Malformed("a question for its members");
    }

    /// <summary>
    /// Reads a resource and the sessions; the operations of a transaction's failure branch, or of one without
    /// conditions.
    /// </summary>
    public IEnumerable<RequestOp> Reads(string resource) =>
        [Read(keys.Mark(resource)), Read(keys.Writers(resource)), ReadSessions()];

    public static RequestOp Read(ByteString key) => new() { RequestRange = new RangeRequest { Key = key } };

    public RequestOp ReadSessions() => new()
    {
        RequestRange =
            new RangeRequest { Key = keys.Sessions, RangeEnd = EtcdKeys.EndOf(keys.Sessions), KeysOnly = true },
    };

    /// <summary>The key that the read at <paramref name="index"/> found; null when it is absent.</summary>
    public static KeyValue? Found(TxnResponse reply, int index) => All(reply, index) is [var kv, ..] ? kv : null;

    public static RepeatedField<KeyValue> All(TxnResponse reply, int index) =>
        reply.Responses[index].ResponseRange?.Kvs ?? throw Malformed("a transaction");

    public EtcdSessionList Sessions(TxnResponse reply, int index) => EtcdSessionList.Read(keys, All(reply, index));

    /// <summary>The resource as the reads at <paramref name="first"/> and the one after it found it.</summary>
    public static EtcdResource Refresh(string resource, TxnResponse reply, int first = 0) => new EtcdResource(resource)
        .WithMark(Found(reply, first), reply.Header.Revision)
        .WithWriters(Found(reply, first + 1), reply.Header.Revision);

    public static EtcdException Malformed(string what) =>
        new($"etcd answered {what} with something that makes no sense.", notTaken: false);
}
