namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// The servers of an ensemble, taken in turn from a random one on, so that a fleet spreads over them.
/// </summary>
internal sealed class ServerList
{
    private const int DefaultPort = 2181;
    private readonly (string Host, int Port)[] _servers;
    private int _next;

    private ServerList((string Host, int Port)[] servers)
    {
        _servers = servers;
        _next = Random.Shared.Next(servers.Length);
    }

    public int Count => _servers.Length;

    /// <summary>
    /// Reads <c>host:port,host:port</c>; without a port it is 2181. An IPv6 address stands in brackets.
    /// </summary>
    /// <exception cref="FormatException">It is no list of servers; the message says why.</exception>
    public static ServerList Parse(string connectionString)
    {
        var parts = connectionString.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return parts.Length > 0
            ? new ServerList([.. parts.Select(ParseServer)])
            : throw new FormatException("The ZooKeeper connection string names no server; write host:port,host:port.");
    }

    public (string Host, int Port) Next() => _servers[(int)((uint)_next++ % (uint)_servers.Length)];

    public override string ToString() => string.Join(',', _servers.Select(s => $"{s.Host}:{s.Port}"));

    private static (string Host, int Port) ParseServer(string text)
    {
        if (text.Contains('/', StringComparison.Ordinal))
        {
            throw new FormatException($"'{text}' in the ZooKeeper connection string has a path; that goes into Root.");
        }

        var colon = text.LastIndexOf(':');
        var hasPort = colon > text.LastIndexOf(']');
        var host = (hasPort ? text[..colon] : text).Trim('[', ']');
        var port = DefaultPort;
        var isPort = !hasPort
            || (int.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out port)
            && port is > 0 and <= ushort.MaxValue);
        return isPort && host.Length > 0
            ? (host, port)
            : throw new FormatException($"'{text}' in the ZooKeeper connection string is not host:port.");
    }
}
