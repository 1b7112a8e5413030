using System.Text;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// The names of all keys, readable with <c>etcdctl get --prefix fg/</c>:
/// <code>
/// fg/epoch                       made once, never changed: who lost its data comes back with another one
/// fg/mark/{resource}             the mark, and when it was raised; changes with the mark only: its mod_revision orders listings
/// fg/writers/{resource}          which sessions are registered, with token and sequence; absent when none is
/// fg/revoked/{session}/{resource} the session is registered below the mark there; the value is the mark
/// fg/operator/{resource}         the last mark that an operator set: who, why
/// fg/session/live/{session}      bound to the session's lease: etcd deletes it when the lease ends
/// fg/session/ended/{session}     ended with nothing in flight: its registrations no longer count
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
        Epoch = Encoding.UTF8.GetBytes($"{prefix}/epoch");
        All = Encoding.UTF8.GetBytes($"{prefix}/");
        Sessions = Encoding.UTF8.GetBytes($"{prefix}/session/");
        AllRevoked = Encoding.UTF8.GetBytes(_revoked);
    }

    public byte[] Epoch { get; }

    /// <summary>What every key begins with.</summary>
    public byte[] All { get; }

    public byte[] Sessions { get; }

    public byte[] AllRevoked { get; }

    public byte[] Mark(string resource) => Encoding.UTF8.GetBytes(_mark + resource);

    public byte[] Writers(string resource) => Encoding.UTF8.GetBytes(_writers + resource);

    public byte[] Operator(string resource) => Encoding.UTF8.GetBytes(_operator + resource);

    public byte[] Live(string session) => Encoding.UTF8.GetBytes(_live + Uri.EscapeDataString(session));

    public byte[] Ended(string session) => Encoding.UTF8.GetBytes(_ended + Uri.EscapeDataString(session));

    public byte[] RevokedOf(string session) => Encoding.UTF8.GetBytes($"{_revoked}{Uri.EscapeDataString(session)}/");

    public byte[] Revoked(string session, string resource) =>
        Encoding.UTF8.GetBytes($"{_revoked}{Uri.EscapeDataString(session)}/{resource}");

    /// <summary>The end of the range of all keys that begin with <paramref name="prefix"/>.</summary>
    public static byte[] EndOf(byte[] prefix)
    {
        var end = prefix.ToArray();
        end[^1]++;
        return end;
    }

    /// <summary>What a key is of: the resource, or the session, or nothing that the store knows.</summary>
    public (EtcdKeyKind Kind, string Name) Parse(byte[] key)
    {
        var text = Encoding.UTF8.GetString(key);
        return text.StartsWith(_mark, StringComparison.Ordinal) ? (EtcdKeyKind.Mark, text[_mark.Length..])
            : text.StartsWith(_writers, StringComparison.Ordinal) ? (EtcdKeyKind.Writers, text[_writers.Length..])
            : text.StartsWith(_operator, StringComparison.Ordinal) ? (EtcdKeyKind.Operator, text[_operator.Length..])
            : text.StartsWith(_live, StringComparison.Ordinal) ? (EtcdKeyKind.Live, Uri.UnescapeDataString(text[_live.Length..]))
            : text.StartsWith(_ended, StringComparison.Ordinal) ? (EtcdKeyKind.Ended, Uri.UnescapeDataString(text[_ended.Length..]))
            : SlashOfRevoked(text) is > 0 and var slash ? (EtcdKeyKind.Revoked, text[(slash + 1)..])
            : (EtcdKeyKind.Other, "");
    }

    /// <summary>Whose notice it is, of a key of that kind.</summary>
    public string SessionOfRevoked(byte[] key)
    {
        var text = Encoding.UTF8.GetString(key);
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
