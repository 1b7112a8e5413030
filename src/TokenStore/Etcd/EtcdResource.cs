using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using FenceGateway.TokenStore.Etcd.Wire;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// What a mark's key holds. Numbers are written as strings: tools that read JSON numbers as doubles would round them.
/// </summary>
/// <param name="Mark">0 … 2^63−1.</param>
/// <param name="At">When it was set, by the clock of the gateway that did; for people only.</param>
internal sealed record EtcdMark(long Mark, DateTimeOffset At);

/// <summary>One registration: the lowest token that the session may still have in flight.</summary>
internal sealed record EtcdWriter(string Session, long Token, long Sequence);

/// <summary>What stands where a session is registered below the mark.</summary>
/// <param name="Mark">The mark.</param>
/// <param name="By">The session whose step put it there: it need not be told of what it did.</param>
internal sealed record EtcdNotice(long Mark, string By);

/// <summary>An operator's change, kept beside the mark.</summary>
internal sealed record EtcdOperatorMark(long Mark, string Reason, string Actor, DateTimeOffset At);

/// <summary>
/// A resource as this process last saw it. It may be out of date: every change is bound to the two revisions, so that
/// one decided on an old state is not applied and learns the present state instead.
/// </summary>
internal sealed record EtcdResource(string Name)
{
    public long Mark { get; init; }

    public DateTimeOffset AdvancedAt { get; init; }

    /// <summary>The mod_revision of the mark's key; 0 when it is absent.</summary>
    public long MarkRevision { get; init; }

    public IReadOnlyList<EtcdWriter> Writers { get; init; } = [];

    /// <summary>The mod_revision of the writers' key; 0 when it is absent.</summary>
    public long WritersRevision { get; init; }

    /// <summary>etcd's revisions at which the two were seen.</summary>
    public (long Mark, long Writers) KnownAt { get; init; }

    public EtcdWriter? WriterOf(string session) => Writers.FirstOrDefault(w => w.Session == session);

    public int WritersBelowMark => Writers.Count(w => w.Token < Mark);

    /// <summary>
    /// With the mark's key as it was at <paramref name="revision"/>; unchanged when a later one is known.
    /// </summary>
    public EtcdResource WithMark(KeyValue? kv, long revision)
    {
        if (revision < KnownAt.Mark)
        {
            return this;
        }

        var stored = kv is null ? null : EtcdStored.Read(kv, EtcdStoredJson.Default.EtcdMark);
        return stored is { Mark: < 0 }
            ? throw EtcdStored.Unreadable(kv!, null)
            : this with
            {
                Mark = stored?.Mark ?? 0,
                AdvancedAt = stored?.At ?? default,
                MarkRevision = kv?.ModRevision ?? 0,
                KnownAt = (revision, KnownAt.Writers),
            };
    }

    /// <summary>
    /// With the writers' key as it was at <paramref name="revision"/>; unchanged when a later one is known.
    /// </summary>
    public EtcdResource WithWriters(KeyValue? kv, long revision)
    {
        if (revision < KnownAt.Writers)
        {
            return this;
        }

        var stored = kv is null ? [] : EtcdStored.Read(kv, EtcdStoredJson.Default.EtcdWriterArray);
        return Array.Exists(stored, w => w is null || w.Session is null || w.Token < 1)
            || stored.DistinctBy(w => w.Session, StringComparer.Ordinal).Count() < stored.Length
            ? throw EtcdStored.Unreadable(kv!, null)
            : this with
            { Writers = stored, WritersRevision = kv?.ModRevision ?? 0, KnownAt = (KnownAt.Mark, revision) };
    }

    /// <summary>
    /// As it is after the change from <paramref name="before"/> was applied at <paramref name="revision"/>.
    /// </summary>
    public EtcdResource AppliedAt(long revision, EtcdResource before) => this with
    {
        MarkRevision = Mark == before.Mark ? MarkRevision : revision,
        WritersRevision =
            Writers.Count == 0 ? 0 : ReferenceEquals(Writers, before.Writers) ? WritersRevision : revision,
        KnownAt = (revision, revision),
    };

    /// <summary>As <see cref="AppliedAt"/>, after a change that neither compared nor wrote the mark.</summary>
    public EtcdResource WithdrawnAt(long revision, EtcdResource before) =>
        AppliedAt(revision, before) with
        { MarkRevision = before.MarkRevision, KnownAt = (before.KnownAt.Mark, revision) };
}

/// <summary>Reads and writes stored values.</summary>
internal static class EtcdStored
{
    public static T Read<T>(KeyValue kv, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(kv.Value.Span, type) ?? throw Unreadable(kv, null);
        }
        catch (JsonException e)
        {
            throw Unreadable(kv, e);
        }
    }

    public static EtcdException Unreadable(KeyValue kv, Exception? inner) =>
        new($"The key {kv.Key.ToStringUtf8()} holds something that no gateway wrote.", notTaken: false, inner: inner);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    NumberHandling = JsonNumberHandling.AllowReadingFromString | JsonNumberHandling.WriteAsString)]
[JsonSerializable(typeof(EtcdMark))]
[JsonSerializable(typeof(EtcdWriter[]))]
[JsonSerializable(typeof(EtcdOperatorMark))]
[JsonSerializable(typeof(EtcdNotice))]
internal sealed partial class EtcdStoredJson : JsonSerializerContext;
