namespace FenceGateway.DurableLog;

/// <summary>
/// Reads the frames of a file one after the other, up to its end or to the first one that is not whole.
/// </summary>
/// <param name="path">The file, for people.</param>
/// <param name="data">All of it.</param>
/// <param name="start">Where the first frame stands.</param>
/// <param name="firstSequence">Its sequence.</param>
internal ref struct LogReader(string path, ReadOnlySpan<byte> data, int start, long firstSequence)
{
    private readonly ReadOnlySpan<byte> _data = data;

    /// <summary>Where the frame that was read last ends.</summary>
    public int End { get; private set; } = start;

    /// <summary>The sequence that the next frame has.</summary>
    public long NextSequence { get; private set; } = firstSequence;

    /// <summary>Reads the next frame.</summary>
    /// <exception cref="LogDamagedException">It is whole, and not the one that follows.</exception>
    public bool TryRead(out LogFrame frame)
    {
        if (!LogFrame.TryRead(_data[End..], out frame))
        {
            return false;
        }

        if (frame.Sequence != NextSequence)
        {
            throw new LogDamagedException(path, End, $"frame {frame.Sequence} follows frame {NextSequence - 1}");
        }

        End += frame.Size;
        NextSequence++;
        return true;
    }

    /// <summary>
    /// Only the very last write of a log can be incomplete: a whole frame behind a broken one proves damage.
    /// </summary>
    /// <exception cref="LogDamagedException">There is one.</exception>
    public readonly void RefuseFrameBehind()
    {
        for (var at = End + 1; at <= _data.Length - LogFrame.HeaderSize; at++)
        {
            if (LogFrame.TryRead(_data[at..], out var later) && later.Sequence >= NextSequence)
            {
                throw new LogDamagedException(
                    path, End, $"a frame is broken, and frame {later.Sequence} at offset {at} behind it is whole");
            }
        }
    }
}
