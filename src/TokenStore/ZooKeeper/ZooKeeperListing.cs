namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// Listings for people. ZooKeeper keeps no order but that of the tree, so a listing reads the names of all folders and
/// then the nodes that may match: at most <see cref="MaxRead"/>, beyond which it is a part of the whole, and says so in
/// the log.
/// </summary>
internal sealed class ZooKeeperListing(ZooKeeperLink link, TimeProvider time, ILogger logger)
{
    public const int MaxRead = 100_000;

    /// <summary>
    /// Folders listed at once. A list of a folder with many thousand names takes its time, and every reply that is due
    /// after it waits: heartbeats, and the connection is given up when one waits for a third of the session's timeout.
    /// </summary>
    public const int ListTogether = 8;

    private const int ReadTogether = 200;

    public async ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        await CatchUpAsync(cancellationToken);
        var folders = await Task.WhenAll(Enumerable.Range(0, ZooKeeperPaths.Folders).Select(n =>
            link.Client.SendAsync(ZooKeeperRequest.Exists(link.Paths.Folder(n)), cancellationToken).AsTask()));
        return folders.Sum(
            reply => reply.IsOk
                ? (long)reply.Value.Children
                : throw ZooKeeperFailure.NotTaken(link.Client, reply.Error));
    }

    public async ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken)
    {
        await CatchUpAsync(cancellationToken);
        List<string> paths = [];
        foreach (var together in Enumerable.Range(0, ZooKeeperPaths.Folders).Chunk(ListTogether))
        {
            var folders = await Task.WhenAll(together.Select(n => NamesAsync(n, query.Prefix, cancellationToken)));
            paths.AddRange(folders.SelectMany(names => names));
        }

        if (paths.Count > MaxRead)
        {
            ZooKeeperLog.ListingCut(logger, MaxRead, paths.Count);
        }

        var newest = new PriorityQueue<MarkRecord, long>();
        foreach (var together in paths.Take(MaxRead).Chunk(ReadTogether))
        {
            foreach (var reply in await Task.WhenAll(together.Select(path => ReadAsync(path, cancellationToken))))
            {
                if (reply is { } record && record.Sequence < query.Before
                    && record.Resource.Value.StartsWith(query.Prefix, StringComparison.Ordinal))
                {
                    newest.Enqueue(record, record.Sequence);
                    _ = newest.Count > query.Limit ? newest.Dequeue() : default;
                }
            }
        }

        return [.. newest.UnorderedItems.Select(item => item.Element).OrderByDescending(record => record.Sequence)];
    }

    /// <summary>What is stored, for people; null when the node is none, or of a key that is none.</summary>
    public MarkRecord? ToRecord(StoredResource stored, Func<RegisteredWriter, long?> endedAt)
    {
        if (stored.Node is not { } node || !ResourceKey.TryCreate(node.Key, out var key))
        {
            return null;
        }

        return new MarkRecord(
            key, node.Mark, DateTimeOffset.FromUnixTimeMilliseconds(node.AdvancedAtMilliseconds), stored.MarkZxid,
            [
                .. node.Writers.Select(w => new WriterRecord(
                    w.Session, new FencingToken(w.Token), endedAt(w) is { } since ? time.GetElapsedTime(since) : null)),
            ]);
    }

    private async Task<IEnumerable<string>> NamesAsync(int folder, string prefix, CancellationToken cancellationToken)
    {
        var path = link.Paths.Folder(folder);
        var reply = await link.Client.SendAsync(ZooKeeperRequest.GetChildren(path, watch: false), cancellationToken);
        return reply.IsOk
            ? reply.Value.Where(name => ZooKeeperPaths.MayBegin(name, prefix)).Select(name => $"{path}/{name}")
            : throw ZooKeeperFailure.NotTaken(link.Client, reply.Error);
    }

    private async Task<MarkRecord?> ReadAsync(string path, CancellationToken cancellationToken)
    {
        var reply = await link.Client.SendAsync(ZooKeeperRequest.GetData(path, watch: false), cancellationToken);
        var stored = WatchedResources.ToStored(reply) ?? throw ZooKeeperFailure.NotTaken(link.Client, reply.Error);
        return ToRecord(stored, writer => link.Sessions.Peek(writer.Session));
    }

    private async ValueTask CatchUpAsync(CancellationToken cancellationToken)
    {
        if (await link.CatchUpAsync(cancellationToken) is var error && error != ZooKeeperError.Ok)
        {
            throw ZooKeeperFailure.NotTaken(link.Client, error);
        }
    }
}
