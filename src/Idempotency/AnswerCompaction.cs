namespace FenceGateway.Idempotency;

/// <summary>
/// Moves what still counts out of the oldest file to the end of the log, so that the file can go before all in it has
/// expired: a key that was released takes no room. Used by the log's thread alone: nothing is written between a look at
/// a key and its copy.
/// </summary>
/// <remarks>After the cleaner of Rosenblum and Ousterhout, The Design and Implementation of a Log-Structured File
/// System, 1992.</remarks>
internal sealed class AnswerCompaction(
    LogFolder folder, AnswerSegments segments, KeyTable<AnswerPlace> table, long maxBytes)
{
    /// <summary>Of the bytes that the files may take, how much may be of no use any more.</summary>
    private const int ShareOfWaste = 4;

    private const int RecordsAtOnce = 1024;
    private const int BytesAtOnce = 256 * 1024;

    private readonly AnswerBatch _copies = new();
    private readonly List<(KeyHash Key, AnswerPlace From, AnswerPlace To, long ExpiresAt)> _moves = [];

    /// <summary>
    /// Keys of the file that were copied. One whose record does not count may have another in the file that does.
    /// </summary>
    private readonly HashSet<KeyHash> _done = [];

    private bool _hasEnding;

    private bool IsDue => segments.Bytes - table.Bytes >= maxBytes / ShareOfWaste;

    /// <summary>Empties files, the oldest first and each once at most, while too much of all is of no use.</summary>
    /// <param name="now">The time, in Unix milliseconds.</param>
    /// <param name="commit">Writes what others wait for. False: this must end.</param>
    /// <returns>Whether a key was just about to end, so that its file can be emptied behind the next write.</returns>
    public bool Run(long now, Func<bool> commit)
    {
        _hasEnding = false;
        for (var n = segments.Older; n > 0 && IsDue && segments.Oldest is { } oldest && TryEmpty(oldest, commit); n--)
        {
            segments.Forget(oldest, now);
        }

        return _hasEnding;
    }

    /// <summary>False: the file has to stay for now, because one of its keys is just about to end, or because it is
    /// damaged.</summary>
    private bool TryEmpty(AnswerSegment segment, Func<bool> commit)
    {
        var data = File.ReadAllBytes(folder.Segment(segment.Index));
        var (at, looked) = (LogFileHeader.Size, 0);
        _done.Clear();
        for (; LogFrame.TryRead(data.AsSpan(at), out var frame); at += frame.Size)
        {
            for (int from = at + LogFrame.HeaderSize, size; from < at + frame.Size; from += size)
            {
                if (!AnswerRecord.TryRead(data.AsSpan(from), out var record, out size)
                    || !TryKeep(record.Key, new AnswerPlace(segment.Index, from, size), data))
                {
                    Flush();
                    return false;
                }

                if (++looked % RecordsAtOnce == 0 || _copies.Length >= BytesAtOnce)
                {
                    Flush();
                    if (!commit())
                    {
                        return false;
                    }
                }
            }
        }

        Flush();
        return at == segment.Length;
    }

    private bool TryKeep(KeyHash key, AnswerPlace place, byte[] data)
    {
        if (_done.Contains(key))
        {
            return true;
        }

        var counts = table.Counts(key, place, out var copy);
        var isAnswer = copy.Kind == AnswerRecordKind.Completed;
        if (counts == true)
        {
            _done.Add(key);
            var bytes = data.AsMemory(place.Offset, place.Length);
            copy = isAnswer ? copy with { Answer = AnswerRecord.ReadAnswer(bytes, key) } : copy;
            _moves.Add((key, place, place with { Offset = _copies.Add(in copy), Length = copy.Size }, copy.ExpiresAt));
        }

        return !(_hasEnding = counts is null);
    }

    private void Flush()
    {
        try
        {
            var end = _copies.Records > 0 ? segments.Write(_copies) : default;
            foreach (var (key, from, to, expiresAt) in _moves)
            {
                table.Move(key, from, to with { Segment = end.Segment, Offset = end.Offset + to.Offset }, expiresAt);
            }
        }
        finally
        {
            _copies.End(default);
            _moves.Clear();
        }
    }
}
