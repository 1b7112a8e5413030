using System.Text.Json.Serialization;

namespace FenceGateway.TokenStore.Etcd;

// The messages of etcd's JSON gateway (etcd 3.4 and newer, /v3): 64-bit numbers are strings, bytes are base64, and a field that
// has its default value is absent. Only what the store uses.

internal sealed record EtcdHeader(long Revision, ulong RaftTerm);

internal sealed record EtcdKeyValue(byte[] Key, byte[]? Value, long ModRevision, long Lease);

internal sealed record EtcdRange(
    byte[] Key,
    byte[]? RangeEnd = null,
    long Limit = 0,
    string? SortOrder = null,
    string? SortTarget = null,
    long MaxModRevision = 0,
    bool KeysOnly = false,
    bool CountOnly = false);

internal sealed record EtcdRangeReply(EtcdHeader? Header, EtcdKeyValue[]? Kvs, long Count);

internal sealed record EtcdPut(byte[] Key, byte[] Value, long Lease = 0);

internal sealed record EtcdDelete(byte[] Key, byte[]? RangeEnd = null);

/// <summary>One operation of a transaction: exactly one of the three.</summary>
internal sealed record EtcdOperation(EtcdRange? RequestRange = null, EtcdPut? RequestPut = null, EtcdDelete? RequestDeleteRange = null);

/// <summary>One condition of a transaction. The number is written even when it is 0: that is what an absent key compares as.</summary>
internal sealed record EtcdCompare(
    byte[] Key, string Target, string Result, long? ModRevision = null, long? CreateRevision = null);

internal sealed record EtcdTransaction(
    IReadOnlyList<EtcdCompare> Compare, IReadOnlyList<EtcdOperation> Success, IReadOnlyList<EtcdOperation> Failure);

internal sealed record EtcdTransactionReply(EtcdHeader? Header, bool Succeeded, EtcdOperationReply[]? Responses);

internal sealed record EtcdOperationReply(EtcdRangeReply? ResponseRange);

internal sealed record EtcdLeaseGrant([property: JsonPropertyName("TTL")] long TimeToLive);

internal sealed record EtcdLeaseId([property: JsonPropertyName("ID")] long Id);

internal sealed record EtcdLeaseReply(
    EtcdHeader? Header,
    [property: JsonPropertyName("ID")] long Id,
    [property: JsonPropertyName("TTL")] long TimeToLive,
    string? Error);

internal sealed record EtcdStream<T>(T? Result, EtcdError? Error);

internal sealed record EtcdError(string? Error, string? Message, int Code);

internal sealed record EtcdCredentials(string Name, string Password);

internal sealed record EtcdAuthenticated(string? Token);

internal sealed record EtcdMembersReply(EtcdMember[]? Members);

internal sealed record EtcdMember(string? Name, [property: JsonPropertyName("isLearner")] bool IsLearner);

internal sealed record EtcdStatusReply(string? Version);

internal sealed record EtcdNothing;

internal sealed record EtcdWatch(EtcdWatchCreate CreateRequest);

internal sealed record EtcdWatchCreate(byte[] Key, byte[] RangeEnd, long StartRevision, bool ProgressNotify);

internal sealed record EtcdWatchReply(
    EtcdHeader? Header, bool Created, bool Canceled, long CompactRevision, string? CancelReason, EtcdEvent[]? Events)
{
    /// <summary>Nothing happened, and all that did up to the header's revision was told.</summary>
    public bool IsProgress => !Created && Events is not { Length: > 0 };
}

/// <param name="Type">Absent for a put, <c>DELETE</c> for a deletion.</param>
/// <param name="Kv">The key as it is now; of a deleted one only its name and the revision of the deletion.</param>
internal sealed record EtcdEvent(string? Type, EtcdKeyValue? Kv)
{
    public bool IsDeletion => Type == "DELETE";
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    NumberHandling = JsonNumberHandling.AllowReadingFromString | JsonNumberHandling.WriteAsString)]
[JsonSerializable(typeof(EtcdRange))]
[JsonSerializable(typeof(EtcdRangeReply))]
[JsonSerializable(typeof(EtcdTransaction))]
[JsonSerializable(typeof(EtcdTransactionReply))]
[JsonSerializable(typeof(EtcdLeaseGrant))]
[JsonSerializable(typeof(EtcdLeaseId))]
[JsonSerializable(typeof(EtcdLeaseReply))]
[JsonSerializable(typeof(EtcdStream<EtcdLeaseReply>))]
[JsonSerializable(typeof(EtcdStream<EtcdWatchReply>))]
[JsonSerializable(typeof(EtcdError))]
[JsonSerializable(typeof(EtcdCredentials))]
[JsonSerializable(typeof(EtcdAuthenticated))]
[JsonSerializable(typeof(EtcdMembersReply))]
[JsonSerializable(typeof(EtcdStatusReply))]
[JsonSerializable(typeof(EtcdNothing))]
[JsonSerializable(typeof(EtcdWatch))]
internal sealed partial class EtcdJson : JsonSerializerContext;
