using System.Security.Cryptography;

namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// What is where under the root:
/// <code>
/// format                 version and epoch; made last, so that all else is there when it is
/// sessions/ID            ephemeral: there as long as the session lives
/// resources/00 … ff/KEY  one node for each resource, for good
/// </code>
/// Resources are spread over folders because a reply that lists a folder is one frame.
/// </summary>
internal sealed class ZooKeeperPaths(string root)
{
    public const int Folders = 256;

    /// <summary>
    /// Names stay this short, so that the names of one folder fit into a frame up to ten million resources.
    /// </summary>
    private const int LongestName = 120;

    /// <summary>
    /// Not among the characters that stand for themselves: a shortened name never equals a whole one.
    /// </summary>
    private const char Shortened = '~';

    public string Format { get; } = $"{root}/format";

    public string Sessions { get; } = $"{root}/sessions";

    public string Resources { get; } = $"{root}/resources";

    public string Root => root;

    public string Session(string id) => $"{Sessions}/{Name(id)}";

    public string Folder(int number) => $"{Resources}/{number:x2}";

    public string Resource(string key)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        _ = SHA256.HashData(Encoding.UTF8.GetBytes(key), hash);
        return $"{Folder(hash[0])}/{Name(key)}";
    }

    /// <summary>Every path above and including the root, the shortest first.</summary>
    public IEnumerable<string> ToRoot()
    {
        for (var slash = root.IndexOf('/', 1); slash > 0; slash = root.IndexOf('/', slash + 1))
        {
            yield return root[..slash];
        }

        yield return root;
    }

    /// <summary>Whether the name of a node may be that of a key that begins with <paramref name="prefix"/>.</summary>
    public static bool MayBegin(string name, string prefix)
    {
        var escaped = Escape(prefix);
        var cut = name.IndexOf(Shortened, StringComparison.Ordinal);
        return cut < 0 || cut >= escaped.Length
            ? name.StartsWith(escaped, StringComparison.Ordinal)
            : escaped.StartsWith(name[..cut], StringComparison.Ordinal);
    }

    /// <exception cref="FormatException">It is no root.</exception>
    public static ZooKeeperPaths Parse(string root)
    {
        var valid = root.Length is > 1 and <= 256 && root[0] == '/' && root[^1] != '/'
            && !root.Contains("//", StringComparison.Ordinal)
            && root != "/zookeeper" && !root.StartsWith("/zookeeper/", StringComparison.Ordinal)
            && root.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '_' or '-');
        return valid
            ? new ZooKeeperPaths(root)
            : throw new FormatException(
                $"'{root}' cannot be the Root in ZooKeeper: write an absolute path of letters, digits, '_' and '-', "
                    + "such as /fencegateway.");
    }

    /// <summary>
    /// A name that ZooKeeper takes, readable where it can be, different for every key: letters, digits and some signs
    /// stand for themselves, every other byte of the key's UTF-8 is %XX. A long one is cut and ends with its hash; the
    /// node's data has the whole key.
    /// </summary>
    internal static string Name(string key)
    {
        var name = Escape(key);
        return name.Length <= LongestName
            ? name
            : name[..(LongestName - 1 - SHA256.HashSizeInBytes * 2)] + Shortened
                + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
    }

    private static string Escape(string key)
    {
        if (key.All(IsPlain))
        {
            return key;
        }

        var name = new StringBuilder();
        foreach (var b in Encoding.UTF8.GetBytes(key))
        {
            _ = IsPlain((char)b) ? name.Append((char)b) : name.Append('%').Append($"{b:X2}");
        }

        return name.ToString();
    }

    // No '.': "." and ".." mean something in a path. No '/', '%' and '~', which mean something here.
    private static bool IsPlain(char c) =>
        char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or ':' or '@' or '=' or '+' or ',';
}
