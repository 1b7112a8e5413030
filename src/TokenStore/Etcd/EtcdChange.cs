using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using FenceGateway.TokenStore.Etcd.Wire;
using Google.Protobuf;
using static FenceGateway.TokenStore.Etcd.Wire.Compare.Types;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>What has to be written so that a resource becomes another state of itself.</summary>
internal static class EtcdChange
{
    /// <summary>etcd takes 128 operations a transaction unless told otherwise (<c>--max-txn-ops</c>).</summary>
    public const int MaxOperations = 128;

    /// <summary>
    /// Notices in one transaction, at most. Only fleets with more gateways registered at one resource than that feel
    /// it: the others learn of the new mark from the watch.
    /// </summary>
    public const int MaxNotices = 100;

    /// <summary>The conditions under which a state read earlier is still the present one.</summary>
    public static IEnumerable<Compare> Unchanged(EtcdKeys keys, EtcdResource resource) =>
    [
        IsAt(keys.Mark(resource.Name), resource.MarkRevision),
        IsAt(keys.Writers(resource.Name), resource.WritersRevision),
    ];

    public static Compare IsAt(ByteString key, long revision) =>
        new() { Key = key, Target = CompareTarget.Mod, Result = CompareResult.Equal, ModRevision = revision };

    public static Compare Exists(ByteString key) =>
        new() { Key = key, Target = CompareTarget.Create, Result = CompareResult.Greater, CreateRevision = 0 };

    public static Compare IsAbsent(ByteString key) =>
        new() { Key = key, Target = CompareTarget.Create, Result = CompareResult.Equal, CreateRevision = 0 };

    /// <summary>
    /// The writes from <paramref name="before"/>, which is known to be the present state, to <paramref name="after"/>.
    /// </summary>
    /// <param name="keys">The names.</param>
    /// <param name="before">As it is.</param>
    /// <param name="after">As it is to be.</param>
    /// <param name="by">The session that wants it so.</param>
    /// <param name="rewriteMark">Writes the mark even if it stays: an operator has said it.</param>
    public static List<RequestOp> Between(
        EtcdKeys keys, EtcdResource before, EtcdResource after, string by, bool rewriteMark = false)
    {
        List<RequestOp> operations = [];
        if (after.Mark != before.Mark || rewriteMark)
        {
            operations.Add(Put(
                keys.Mark(after.Name), new EtcdMark(after.Mark, after.AdvancedAt), EtcdStoredJson.Default.EtcdMark));
        }

        if (!ReferenceEquals(after.Writers, before.Writers))
        {
            operations.Add(Writers(keys, after));
        }

        var notices = Notices(keys, before, after, by).Take(MaxNotices);
        operations.AddRange(notices);
        return operations;
    }

    /// <summary>The writes that take registrations away, whatever the mark is by now.</summary>
    public static IEnumerable<RequestOp> Withdrawal(EtcdKeys keys, EtcdResource after, string session) =>
        [Writers(keys, after), Delete(keys.Revoked(session, after.Name))];

    public static RequestOp Put<T>(ByteString key, T value, JsonTypeInfo<T> type) =>
        Put(key, ByteString.CopyFrom(JsonSerializer.SerializeToUtf8Bytes(value, type)));

    public static RequestOp Put(ByteString key, ByteString value, long lease = 0) =>
        new() { RequestPut = new PutRequest { Key = key, Value = value, Lease = lease } };

    public static RequestOp Delete(ByteString key) =>
        new() { RequestDeleteRange = new DeleteRangeRequest { Key = key } };

    /// <summary>Deletes every key that begins with <paramref name="prefix"/>.</summary>
    public static RequestOp DeleteAll(ByteString prefix) =>
        new() { RequestDeleteRange = new DeleteRangeRequest { Key = prefix, RangeEnd = EtcdKeys.EndOf(prefix) } };

    private static RequestOp Writers(EtcdKeys keys, EtcdResource after) => after.Writers.Count == 0
        ? Delete(keys.Writers(after.Name))
        : Put(keys.Writers(after.Name), [.. after.Writers], EtcdStoredJson.Default.EtcdWriterArray);

    /// <summary>
    /// A notice stands where a session is registered below the mark. Putting one tells that session to drain; deleting
    /// one tells everybody who waits that a lower registration went away.
    /// </summary>
    private static IEnumerable<RequestOp> Notices(EtcdKeys keys, EtcdResource before, EtcdResource after, string by)
    {
        foreach (var writer in before.Writers)
        {
            if (writer.Token < before.Mark && !(after.WriterOf(writer.Session)?.Token < after.Mark))
            {
                yield return Delete(keys.Revoked(writer.Session, after.Name));
            }
        }

        foreach (var writer in after.Writers)
        {
            var told = before.WriterOf(writer.Session)?.Token < before.Mark;
            if (writer.Token < after.Mark && !told)
            {
                var notice = new EtcdNotice(after.Mark, by);
                yield return Put(keys.Revoked(writer.Session, after.Name), notice, EtcdStoredJson.Default.EtcdNotice);
            }
        }
    }
}
