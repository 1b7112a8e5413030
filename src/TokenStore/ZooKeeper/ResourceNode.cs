namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>Who set a mark by hand, why and when (the wall clock of the gateway that took it).</summary>
internal sealed record OperatorNote(string Actor, string Reason, long AtMilliseconds);

/// <summary>What the node of a resource holds.</summary>
/// <param name="Key">The resource; the node's name may be shortened.</param>
/// <param name="Mark">The highest token promised.</param>
/// <param name="MarkZxid">The change that set the mark; 0 when it is the one that wrote this data, whose number its
/// writer could not know.</param>
/// <param name="AdvancedAtMilliseconds">When the mark was set, by the wall clock of the gateway that did; for
/// people.</param>
/// <param name="Writers">Who is registered.</param>
/// <param name="Note">The latest change by hand, if there was one.</param>
internal sealed record ResourceNode(
    string Key, long Mark, long MarkZxid, long AdvancedAtMilliseconds, IReadOnlyList<RegisteredWriter> Writers,
    OperatorNote? Note)
{
    private const byte FormatVersion = 1;
    private const int SmallestWriter = 4 + 8 + 8;

    public byte[] ToData()
    {
        var writer = new JuteWriter().Int(FormatVersion).Text(Key).Long(Mark).Long(MarkZxid)
            .Long(AdvancedAtMilliseconds).Int(Writers.Count);
        foreach (var registered in Writers)
        {
            writer.Text(registered.Session).Long(registered.Token).Long(registered.Sequence);
        }

        writer.Bool(Note is not null);
        if (Note is { } note)
        {
            writer.Text(note.Actor).Text(note.Reason).Long(note.AtMilliseconds);
        }

        return writer.ToData();
    }

    /// <exception cref="ZooKeeperProtocolException">It is not what a gateway of this version wrote.</exception>
    public static ResourceNode Parse(ReadOnlySpan<byte> data)
    {
        var reader = new JuteReader(data);
        if (reader.Int() is var version && version != FormatVersion)
        {
            throw new ZooKeeperProtocolException(
                $"The data of a resource has the format {version}; this gateway knows {FormatVersion}.");
        }

        var (key, mark, zxid, at) = (reader.Text(), reader.Long(), reader.Long(), reader.Long());
        var writers = new RegisteredWriter[reader.Count(SmallestWriter)];
        for (var i = 0; i < writers.Length; i++)
        {
            writers[i] = new RegisteredWriter(reader.Text(), reader.Long(), reader.Long(), EndedAt: null);
        }

        var note = reader.Bool() ? new OperatorNote(reader.Text(), reader.Text(), reader.Long()) : null;
        if (mark < 0 || writers.Any(w => w.Token < 1))
        {
            throw new ZooKeeperProtocolException("A mark or a token in the data of a resource is out of its bounds.");
        }

        if (writers.DistinctBy(static w => w.Session, StringComparer.Ordinal).Count() < writers.Length)
        {
            throw new ZooKeeperProtocolException("A session is registered twice in the data of a resource.");
        }

        return new ResourceNode(key, mark, zxid, at, writers, note);
    }
}

/// <summary>A resource as it was read: its node, or that there is none.</summary>
/// <param name="Node">Null when there is none.</param>
/// <param name="Version">Of the data; −1 when there is none.</param>
/// <param name="Zxid">The change that wrote the data; of the reply, when there is none.</param>
internal sealed record StoredResource(ResourceNode? Node, int Version, long Zxid)
{
    /// <summary>The change that set the mark.</summary>
    public long MarkZxid => Node is null ? 0 : Node.MarkZxid == 0 ? Zxid : Node.MarkZxid;

    public long Mark => Node?.Mark ?? 0;

    public IReadOnlyList<RegisteredWriter> Writers => Node?.Writers ?? [];

    /// <summary>The data for the next version: who is registered changes, the mark only if it is another one.</summary>
    public ResourceNode With(
        string key, long mark, IReadOnlyList<RegisteredWriter> writers, long nowMilliseconds,
        OperatorNote? note = null) =>
        Node is null || mark != Node.Mark
            ? new ResourceNode(key, mark, MarkZxid: 0, nowMilliseconds, writers, note ?? Node?.Note)
            : Node with { MarkZxid = MarkZxid, Writers = writers, Note = note ?? Node.Note };
}
