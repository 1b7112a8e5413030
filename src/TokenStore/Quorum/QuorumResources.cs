using FenceGateway.TokenStore.Redis;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>What a majority of the nodes keeps of resources.</summary>
internal sealed class QuorumResources(QuorumNodes nodes, SessionWatch watch, ChangeStamps stamps)
{
    /// <summary>
    /// Puts a mark that is known somewhere at a majority (I9). With <paramref name="always"/> what was asked for before
    /// is not carried out any more where it is the mark already.
    /// </summary>
    /// <exception cref="TokenStoreUnavailableException">It could not be put there.</exception>
    public async ValueTask RaiseAsync(
        ResourceKey resource, long mark, CancellationToken cancellationToken, bool always = false)
    {
        var stamp = stamps.Next();
        nodes.Require(await nodes.AskAsync(
            (node, view) => NodeMarkScripts.RaiseAsync(node, view, resource, mark, stamp, always), null,
            cancellationToken));
    }

    public async ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken) =>
        nodes.Require(await nodes.AskAsync(
            (node, view) => NodeMarkScripts.WithdrawAsync(node, view, session, registrations), null,
            cancellationToken));

    /// <summary>Takes registrations back where a step left them although it was not admitted.</summary>
    public async ValueTask RemoveAsync(
        ResourceKey resource, IReadOnlyList<(string Session, long Sequence)> registrations,
        CancellationToken cancellationToken) =>
        nodes.Require(await nodes.AskAsync(
            (node, view) => NodeMarkScripts.RemoveAsync(node, view, resource, registrations), null, cancellationToken));

    public async ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        var found = await ReadAsync(resource, cancellationToken);
        if (found.Changed is not { } changed)
        {
            return null;
        }

        if (found.AtMark < nodes.Majority)
        {
            // Two readers one after the other must not see the mark go down.
            await RaiseAsync(resource, found.Mark, cancellationToken);
        }

        return new MarkRecord(
            resource, found.Mark, DateTimeOffset.FromUnixTimeMilliseconds(changed.UnixMilliseconds), changed.Sequence,
            [
                .. found.Writers.Values.Where(writer => watch.EndedFor(writer.Session) != TimeSpan.MaxValue)
                    .Select(
                        writer => new WriterRecord(
                            writer.Session, new FencingToken(writer.Token), watch.EndedFor(writer.Session))),
            ]);
    }

    /// <summary>Reads a resource at a majority.</summary>
    public async ValueTask<FoundResource> ReadAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        var replies = nodes.Require(await nodes.AskAsync(
            (node, view) => NodeMarkScripts.FindAsync(node, view, resource), null, cancellationToken));
        var (mark, atMark, changed) = (0L, 0, default(ChangeStamp?));
        List<IReadOnlyList<NodeWriter>> writers = [];
        var read = new ReadResource?[nodes.Count];
        foreach (var reply in replies.Where(static r => r.IsDone))
        {
            writers.Add(NodeWriter.ReadAll(reply.Parts, 4));
            See(reply.Node, writers[^1], reply.Generation);
            if (reply.Parts.Length < 4)
            {
                read[reply.Node] = new ReadResource("", []);
                continue;
            }

            var known = RedisKeys.Number((string)reply.Parts[1]!);
            read[reply.Node] = new ReadResource((string)reply.Parts[3]!, writers[^1]);
            var stamp = new ChangeStamp((long)reply.Parts[3], (long)reply.Parts[2]);
            if (changed is null || known > mark)
            {
                (mark, atMark, changed) = (known, 1, stamp);
            }
            else if (known == mark)
            {
                (atMark, changed) = (atMark + 1, stamp.Sequence > changed.Value.Sequence ? stamp : changed);
            }
        }

        return new FoundResource(mark, atMark, changed, QuorumDecision.Writers(nodes.Count, writers), read);
    }

    public void See(int node, IReadOnlyList<NodeWriter> writers, long generation)
    {
        foreach (var writer in writers)
        {
            watch.See(node, writer.Session, writer.Sight, writer.TimeToLive, generation);
        }
    }

    /// <summary>Pages of the nodes, merged by maximum.</summary>
    public async ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken)
    {
        Dictionary<string, long> found = new(StringComparer.Ordinal);
        var start = (RedisValue)(query.Before > RedisListing.Exact ? "+inf" : $"({query.Before}");
        var (parts, above, readTo) = (0, 0L, long.MaxValue);
        do
        {
            // What changes between two parts goes above the first: then that is read as well, down to where it began.
            (var newest, parts) = (above, 0);
            long at;
            var below = start;
            do
            {
                (at, var first) = await ReadNamesAsync(query.Prefix, below, found, cancellationToken);
                (newest, below, parts) = (Math.Max(newest, first), at, parts + 1);
                readTo = Math.Min(readTo, at);
            }
            while (at > above && !IsFull());

            above = newest;
        }
        while (parts > 1 && !IsFull());

        bool IsFull() => found.Values.Count(sequence => sequence > readTo) >= query.Limit;

        List<MarkRecord> records = [];
        var names = found.Where(f => f.Value > readTo).OrderByDescending(static f => f.Value).Take(query.Limit);
        foreach (var part in names.Chunk(64))
        {
            // A mark that changed since its name was read stands where it stood there: a page has no gaps.
            var read = await Task.WhenAll(part.Select(async name =>
                ResourceKey.TryCreate(name.Key, out var resource)
                    && await FindAsync(resource, cancellationToken) is { } record
                    ? record with { Sequence = name.Value }
                    : (MarkRecord?)null));
            records.AddRange(read.OfType<MarkRecord>());
        }

        return records;
    }

    /// <summary>A part of the nodes' names: down to where all nodes have been read, and the newest.</summary>
    private async ValueTask<(long ReadTo, long Newest)> ReadNamesAsync(
        string prefix, RedisValue below, Dictionary<string, long> found, CancellationToken cancellationToken)
    {
        var replies = nodes.Require(await nodes.AskAsync(
            (node, view) => NodeMarkScripts.NamesAsync(node, view, below, RedisListing.Part), null, cancellationToken));
        var (readTo, newest) = (0L, 0L);
        foreach (var page in replies.Where(static r => r.IsDone).Select(static r => (string[])r.Parts[2]!))
        {
            var last = 0L;
            for (var i = 0; i + 1 < page.Length; i += 2)
            {
                last = long.Parse(page[i + 1], CultureInfo.InvariantCulture);
                newest = Math.Max(newest, last);
                if (page[i].StartsWith(prefix, StringComparison.Ordinal))
                {
                    found[page[i]] = Math.Max(found.GetValueOrDefault(page[i]), last);
                }
            }

            // Below the end of a full page not all nodes have been read.
            readTo = page.Length == 2 * RedisListing.Part ? Math.Max(readTo, last) : readTo;
        }

        return (readTo, newest);
    }

    /// <summary>As many as the node that knows most.</summary>
    public async ValueTask<long> CountAsync(CancellationToken cancellationToken) => nodes.Require(
            await nodes.AskAsync(
                static (node, view) => NodeMarkScripts.NamesAsync(node, view, "+inf", 0), null, cancellationToken))
        .Where(static r => r.IsDone).Max(static r => (long)r.Parts[1]);
}

/// <summary>A resource as a majority of the nodes has it.</summary>
/// <param name="Mark">The highest mark.</param>
/// <param name="AtMark">At how many nodes.</param>
/// <param name="Changed">When it was last changed; null for a resource that none of them knows.</param>
/// <param name="Writers">The registrations that can count.</param>
/// <param name="Read">What each node showed; null for those that did not answer.</param>
internal sealed record FoundResource(
    long Mark, int AtMark, ChangeStamp? Changed, Dictionary<string, NodeWriter> Writers,
    IReadOnlyList<ReadResource?> Read);

/// <summary>A resource as one node showed it.</summary>
/// <param name="Sequence">Of the mark; empty for none.</param>
/// <param name="Writers">The registrations.</param>
internal sealed record ReadResource(string Sequence, IReadOnlyList<NodeWriter> Writers)
{
    /// <summary>The sequence of a session's registration; null for none.</summary>
    public long? Registration(string session) =>
        Writers.Where(w => w.Session == session).Select(static w => (long?)w.Sequence).FirstOrDefault();
}
