namespace FenceGateway.TokenStore.Memory;

/// <summary>A resource in <see cref="MemoryMarks"/>, used under its lock.</summary>
internal sealed class MemoryResource(ResourceKey key)
{
    public ResourceKey Key { get; } = key;

    public ResourceState State { get; } = new();

    public long Sequence { get; set; }

    public DateTimeOffset ChangedAt { get; set; }

    public MarkRecord Read(TimeProvider clock)
    {
        var now = clock.GetTimestamp();
        return new MarkRecord(Key, State.Mark, ChangedAt, Sequence,
        [
            .. State.Writers.Select(w => new WriterRecord(
                w.Session, new FencingToken(w.Token), w.EndedAt is { } end ? clock.GetElapsedTime(end, now) : null)),
        ]);
    }
}
