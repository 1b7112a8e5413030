using System.Collections.Concurrent;

namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// The watches that a server holds for this client. A watch ends when it fires; a new connection begins without any,
/// and is told those that are left together with the latest change seen, so that what happened in between is told at
/// once.
/// </summary>
internal sealed class ArmedWatches
{
    /// <summary>Frames with watches stay this short (in characters of paths), far below what a server takes.</summary>
    private const int FrameText = 128 * 1024;

    private readonly ConcurrentDictionary<string, bool> _data = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _children = new(StringComparer.Ordinal);

    public bool HasData(string path) => _data.ContainsKey(path);

    public bool HasChildren(string path) => _children.ContainsKey(path);

    public void Add(WatchKind kind, string path)
    {
        if (kind != WatchKind.None)
        {
            Of(kind)[path] = true;
        }
    }

    public void Fired(in WatchEvent fired)
    {
        if (fired.Type is WatchEventType.NodeDataChanged or WatchEventType.NodeDeleted or WatchEventType.NodeCreated)
        {
            _ = _data.TryRemove(fired.Path, out _);
        }

        if (fired.Type is WatchEventType.NodeChildrenChanged or WatchEventType.NodeDeleted)
        {
            _ = _children.TryRemove(fired.Path, out _);
        }
    }

    /// <summary>What to tell a new connection before anything else.</summary>
    public IEnumerable<ZooKeeperRequest<bool>> Requests(long since)
    {
        foreach (var paths in InFrames(_data.Keys))
        {
            yield return ZooKeeperRequest.SetWatches(since, paths, []);
        }

        foreach (var paths in InFrames(_children.Keys))
        {
            yield return ZooKeeperRequest.SetWatches(since, [], paths);
        }
    }

    private ConcurrentDictionary<string, bool> Of(WatchKind kind) => kind == WatchKind.Data ? _data : _children;

    private static IEnumerable<List<string>> InFrames(ICollection<string> paths)
    {
        List<string> frame = [];
        var length = 0;
        foreach (var path in paths)
        {
            frame.Add(path);
            length += path.Length;
            if (length >= FrameText)
            {
                yield return frame;
                (frame, length) = ([], 0);
            }
        }

        if (frame.Count > 0)
        {
            yield return frame;
        }
    }
}
