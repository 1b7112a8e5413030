namespace FenceGateway.TokenStore.ZooKeeper;

internal enum OperationCode
{
    Create = 1,
    Delete = 2,
    Exists = 3,
    GetData = 4,
    SetData = 5,
    GetAcl = 6,
    GetChildren = 8,
    Ping = 11,
    Check = 13,
    Multi = 14,
    Auth = 100,
    SetWatches = 101,
    CloseSession = -11,
}

internal delegate T ReplyParser<out T>(ref JuteReader reader);

/// <summary>Which watch a request leaves at the server when it ends well.</summary>
internal enum WatchKind
{
    None,
    Data,
    Children,
}

/// <summary>A request as it goes on the wire, but for its number, and how its reply is read.</summary>
internal sealed record ZooKeeperRequest<T>(
    byte[] Frame, ReplyParser<T> Parse, WatchKind Watch = WatchKind.None, string Path = "");

/// <summary>Makes requests. The xid, which follows the length, is filled in when a request is sent.</summary>
internal static class ZooKeeperRequest
{
    /// <summary>Of the numbers that the protocol keeps for itself.</summary>
    public const int EventXid = -1, PingXid = -2, AuthXid = -4, SetWatchesXid = -8;

    /// <summary>A server cuts the connection at a longer frame (the default of jute.maxbuffer).</summary>
    public const int MaxFrame = 0xFFFFF;

    private const int AllPermissions = 31;
    private const int ReadPermission = 1;

    /// <summary>Of a list of permissions, in bytes.</summary>
    private const int SmallestEntry = 4 + 4 + 4;

    public static ZooKeeperRequest<NodeData> GetData(string path, bool watch) => new(
        Begin(OperationCode.GetData).Text(path).Bool(watch).ToFrame(),
        static (ref r) => new NodeData(r.Buffer().ToArray(), NodeStat.Read(ref r)),
        watch ? WatchKind.Data : WatchKind.None, path);

    public static ZooKeeperRequest<NodeStat> Exists(string path) =>
        new(Begin(OperationCode.Exists).Text(path).Bool(false).ToFrame(), static (ref r) => NodeStat.Read(ref r));

    public static ZooKeeperRequest<string[]> GetChildren(string path, bool watch) => new(
        Begin(OperationCode.GetChildren).Text(path).Bool(watch).ToFrame(), static (ref r) => r.Texts(),
        watch ? WatchKind.Children : WatchKind.None, path);

    /// <summary>Asks whether everybody may change a node, or what is below it.</summary>
    public static ZooKeeperRequest<bool> IsOpen(string path) =>
        new(Begin(OperationCode.GetAcl).Text(path).ToFrame(), ParseIsOpen);

    public static ZooKeeperRequest<string> Create(string path, byte[] data, bool ephemeral, bool restricted)
    {
        var writer = Begin(OperationCode.Create);
        WriteCreate(writer, path, data, ephemeral, restricted);
        return new(writer.ToFrame(), static (ref r) => r.Text());
    }

    public static ZooKeeperRequest<bool> Delete(string path) =>
        new(Begin(OperationCode.Delete).Text(path).Int(-1).ToFrame(), static (ref _) => true);

    public static ZooKeeperRequest<MultiResult[]> Multi(params ReadOnlySpan<MultiOperation> operations)
    {
        var writer = Begin(OperationCode.Multi);
        foreach (var operation in operations)
        {
            operation.Write(writer);
        }

        return new(writer.Int(-1).Bool(true).Int(-1).ToFrame(), ParseMulti);
    }

    public static ZooKeeperRequest<bool> SetWatches(
        long since, IReadOnlyCollection<string> data, IReadOnlyCollection<string> children) =>
        new(
            Begin(OperationCode.SetWatches).Long(since).Texts(data).Texts([]).Texts(children).ToFrame(),
            static (ref _) => true);

    /// <summary>Says who speaks on this connection, by the scheme "digest".</summary>
    public static byte[] Auth(byte[] userAndPassword) =>
        Begin(OperationCode.Auth).Int(0).Text("digest").Buffer(userAndPassword).ToFrame();

    public static byte[] Ping() => Begin(OperationCode.Ping).ToFrame();

    public static ZooKeeperRequest<bool> CloseSession() =>
        new(Begin(OperationCode.CloseSession).ToFrame(), static (ref _) => true);

    /// <param name="writer">Where to.</param>
    /// <param name="path">Of the node.</param>
    /// <param name="data">Of the node.</param>
    /// <param name="ephemeral">Whether it goes with the session.</param>
    /// <param name="restricted">Whether only who made it may use it; otherwise everybody may.</param>
    internal static void WriteCreate(JuteWriter writer, string path, byte[] data, bool ephemeral, bool restricted) =>
        writer.Text(path).Buffer(data)
            .Int(1).Int(AllPermissions).Text(restricted ? "auth" : "world").Text(restricted ? "" : "anyone")
            .Int(ephemeral ? 1 : 0);

    private static JuteWriter Begin(OperationCode operation) => new JuteWriter().Int(0).Int((int)operation);

    private static bool ParseIsOpen(ref JuteReader reader)
    {
        var isOpen = false;
        for (var left = reader.Count(SmallestEntry); left > 0; left--)
        {
            var (permissions, scheme, id) = (reader.Int(), reader.Text(), reader.Text());
            isOpen |= scheme == "world" && id == "anyone" && (permissions & ~ReadPermission) != 0;
        }

        return isOpen;
    }

    private static MultiResult[] ParseMulti(ref JuteReader reader)
    {
        List<MultiResult> results = [];
        while (true)
        {
            var type = reader.Int();
            var done = reader.Bool();
            _ = reader.Int(); // error, once more in the result
            if (done)
            {
                return [.. results];
            }

            results.Add((OperationCode)type switch
            {
                (OperationCode)(-1) => new MultiResult((ZooKeeperError)reader.Int(), default),
                OperationCode.SetData => new MultiResult(ZooKeeperError.Ok, NodeStat.Read(ref reader)),
                OperationCode.Create when reader.Text() is not null => default,
                OperationCode.Check or OperationCode.Delete => default,
                _ => throw new ZooKeeperProtocolException($"A result of operation {type} was not asked for."),
            });
        }
    }
}

/// <summary>One of several operations that are done together or not at all.</summary>
internal readonly struct MultiOperation
{
    private readonly Action<JuteWriter> _write;
    private readonly OperationCode _code;

    private MultiOperation(OperationCode code, Action<JuteWriter> write) => (_code, _write) = (code, write);

    /// <summary>The node has to be there and, unless −1, to have this version.</summary>
    public static MultiOperation Check(string path, int version) =>
        new(OperationCode.Check, w => w.Text(path).Int(version));

    public static MultiOperation SetData(string path, byte[] data, int version) =>
        new(OperationCode.SetData, w => w.Text(path).Buffer(data).Int(version));

    public static MultiOperation Delete(string path) => new(OperationCode.Delete, w => w.Text(path).Int(-1));

    public static MultiOperation Create(string path, byte[] data, bool restricted) =>
        new(OperationCode.Create, w => ZooKeeperRequest.WriteCreate(w, path, data, ephemeral: false, restricted));

    public void Write(JuteWriter writer) => _write(writer.Int((int)_code).Bool(false).Int(-1));
}
