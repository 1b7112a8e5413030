using Google.Protobuf;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// The names of all keys, readable with <c>etcdctl get --prefix fg/</c>:
/// <code>
/// fg/epoch                       made once, never changed: who lost its data comes back with another one
/// fg/mark/{resource} the mark, and when it was raised; changes with the mark only: its mod_revision orders listings
/// fg/writers/{resource} which sessions are registered, with token and sequence; absent when none is
/// fg/revoked/{session}/{resource} the session is registered below the mark there; the value is the mark
/// fg/operator/{resource} the last mark that an operator set: who, why fg/session/live/{session} bound to the session's
/// lease: etcd deletes it when the lease ends fg/session/ended/{session} ended with nothing in flight: its
/// registrations no longer count
/// </code>
/// A resource stands at the end of its key, as it is. Sessions are escaped, so that no slash is in them.
/// </summary>
internal sealed class EtcdKeys
{
    private readonly string _mark;
    private readonly string _writers;
    private readonly string _revoked;
    private readonly string _operator;
    private readonly string _live;
    private readonly string _ended;

    public EtcdKeys(string prefix)
    {
        (_mark, _writers, _revoked) = ($"{prefix}/mark/", $"{prefix}/writers/", $"{prefix}/revoked/");
        (_operator, _live, _ended) = ($"{prefix}/operator/", $"{prefix}/session/live/", $"{prefix}/session/ended/");
        Epoch = ByteString.CopyFromUtf8($"{prefix}/epoch");
        All = ByteString.CopyFromUtf8($"{prefix}/");
        Sessions = ByteString.CopyFromUtf8($"{prefix}/session/");
        AllRevoked = ByteString.CopyFromUtf8(_revoked);
    }

    public ByteString Epoch { get; }

    /// <summary>What every key begins with.</summary>
    public ByteString All { get; }

    public ByteString Sessions { get; }

    public ByteString AllRevoked { get; }

    public ByteString Mark(string resource) => ByteString.CopyFromUtf8(_mark + resource);

    public ByteString Writers(string resource) => ByteString.CopyFromUtf8(_writers + resource);

    public ByteString Operator(string resource) => ByteString.CopyFromUtf8(_operator + resource);

    public ByteString Live(string session) => ByteString.CopyFromUtf8(_live + Uri.EscapeDataString(session));

    public ByteString Ended(string session) => ByteString.CopyFromUtf8(_ended + Uri.EscapeDataString(session));

    public ByteString RevokedOf(string session) =>
        ByteString.CopyFromUtf8($"{_revoked}{Uri.EscapeDataString(session)}/");

    public ByteString Revoked(string session, string resource) =>
        ByteString.CopyFromUtf8($"{_revoked}{Uri.EscapeDataString(session)}/{resource}");

    /// <summary>The end of the range of all keys that begin with <paramref name="prefix"/>.</summary>
    public static ByteString EndOf(ByteString prefix)
    {
        var end = prefix.ToByteArray();
        end[^1]++;
        return ByteString.CopyFrom(end);
    }

    /// <summary>What a key is of: the resource, or the session, or nothing that the store knows.</summary>
    public (EtcdKeyKind Kind, string Name) Parse(ByteString key)
    {
        var text = key.ToStringUtf8();
        return text.StartsWith(_mark, StringComparison.Ordinal) ? (EtcdKeyKind.Mark, text[_mark.Length..])
            : text.StartsWith(_writers, StringComparison.Ordinal) ? (EtcdKeyKind.Writers, text[_writers.Length..])
            : text.StartsWith(_operator, StringComparison.Ordinal) ? (EtcdKeyKind.Operator, text[_operator.Length..])
            : text.StartsWith(_live, StringComparison.Ordinal)
                ? (EtcdKeyKind.Live, Uri.UnescapeDataString(text[_live.Length..]))
            : text.StartsWith(_ended, StringComparison.Ordinal)
                ? (EtcdKeyKind.Ended, Uri.UnescapeDataString(text[_ended.Length..]))
            : SlashOfRevoked(text) is > 0 and var slash ? (EtcdKeyKind.Revoked, text[(slash + 1)..])
            : (EtcdKeyKind.Other, "");
    }

    /// <summary>Whose notice it is, of a key of that kind.</summary>
    public string SessionOfRevoked(ByteString key)
    {
        var text = key.ToStringUtf8();
        return Uri.UnescapeDataString(text[_revoked.Length..SlashOfRevoked(text)]);
    }

    private int SlashOfRevoked(string text) =>
        text.StartsWith(_revoked, StringComparison.Ordinal) ? text.IndexOf('/', _revoked.Length) : -1;
}

internal enum EtcdKeyKind
{
    Other,
    Mark,
    Writers,
    Operator,
    Revoked,
    Live,
    Ended,
}
