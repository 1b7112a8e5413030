namespace FenceGateway.DurableLog;

/// <summary>The folder of a log: names of files, and how they come and go.</summary>
/// <param name="path">The folder.</param>
/// <param name="create">Makes a file anew.</param>
internal sealed class LogFolder(string path, Func<string, ISegmentFile> create)
{
    /// <summary>How many cut-off tails are kept for people to look at.</summary>
    private const int MaxTorn = 16;

    private const string SegmentPrefix = "wal-";
    private const string SegmentSuffix = ".log";
    private const string SnapshotPrefix = "snapshot-";
    private const string SnapshotSuffix = ".dat";
    private const string TornSuffix = ".torn";
    private const string TemporarySuffix = ".tmp";

    public string FullPath => path;

    /// <summary>Opens a store off the caller's thread; what was opened of one that cannot be is released.</summary>
    /// <param name="open">Opens it.</param>
    /// <param name="release">Releases what was opened.</param>
    /// <param name="unavailable">What is thrown instead of a failure; null where it is no fault of the folder.</param>
    /// <param name="cancellationToken">Ends the wait before it has begun.</param>
    public static async ValueTask OpenAsync(
        Action open, Action release, Func<Exception, Exception?> unavailable, CancellationToken cancellationToken)
    {
        try
        {
            await Task.Run(open, cancellationToken);
        }
        catch (Exception e)
        {
            release();
            if (unavailable(e) is { } instead)
            {
                throw instead;
            }

            throw;
        }
    }

    /// <summary>
    /// Why a store cannot be opened, as sentences for an operator; null where it is no fault of the folder.
    /// </summary>
    /// <param name="e">What its opening met.</param>
    /// <param name="store">The store.</param>
    /// <param name="location">Its folder.</param>
    /// <param name="advice">Why it refuses when it is damaged, and what to do then.</param>
    public static string? Explain(Exception e, string store, string location, string advice) => e switch
    {
        LogDamagedException => $"The {store} is damaged: {e.Message}. {advice}",
        FolderInUseException or LogFormatException => e.Message,
        _ when IsIo(e) => $"The {store}'s folder {location} cannot be used: {e.Message}",
        _ => null,
    };

    public string Segment(long index) => Name(SegmentPrefix, index, SegmentSuffix);

    public string Snapshot(long index) => Name(SnapshotPrefix, index, SnapshotSuffix);

    public List<long> Segments() => Numbers(SegmentPrefix, SegmentSuffix);

    public List<long> Snapshots() => Numbers(SnapshotPrefix, SnapshotSuffix);

    /// <summary>Whether a store was here whose log is gone.</summary>
    public bool HasTorn() => Directory.EnumerateFiles(path, "*" + TornSuffix).Any();

    /// <summary>Writes a file under a temporary name, and gives it its name when it is durable.</summary>
    /// <returns>The file, still open.</returns>
    public ISegmentFile Publish(string name, Action<ISegmentFile> write)
    {
        var temporary = name + TemporarySuffix;
        var file = create(temporary);
        try
        {
            write(file);
            Flush(file, temporary);
            File.Move(temporary, name, overwrite: true);
            FlushNames();
            return file;
        }
        catch
        {
            file.Dispose();
            TryDelete(temporary);
            throw;
        }
    }

    /// <exception cref="FlushFailedException">It failed.</exception>
    public static void Flush(ISegmentFile file, string name)
    {
        try
        {
            file.Flush();
        }
        catch (Exception e) when (IsIo(e))
        {
            throw new FlushFailedException($"flushing {name} to disk failed: {e.Message}", e);
        }
    }

    /// <summary>Keeps the bytes of a torn tail aside.</summary>
    public string KeepTorn(long segment, long offset, ReadOnlySpan<byte> bytes)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{Segment(segment)}.{offset}{TornSuffix}");
        var copy = bytes.ToArray();
        Publish(name, file => file.Write(0, copy)).Dispose();
        var all = Directory.GetFiles(path, "*" + TornSuffix).Order(StringComparer.Ordinal).ToArray();
        foreach (var old in all.AsSpan(0, Math.Max(0, all.Length - MaxTorn)))
        {
            TryDelete(old);
        }

        return name;
    }

    public void DeleteTemporary()
    {
        foreach (var file in Directory.GetFiles(path, "*" + TemporarySuffix))
        {
            TryDelete(file);
        }
    }

    /// <summary>
    /// Deletes what a snapshot has made superfluous. What cannot be deleted now is deleted at the next start.
    /// </summary>
    public void DeleteBefore(long index)
    {
        foreach (var old in Snapshots().Where(n => n < index))
        {
            TryDelete(Snapshot(old));
        }

        foreach (var old in Segments().Where(n => n < index))
        {
            TryDelete(Segment(old));
        }
    }

    public static bool TryDelete(string file)
    {
        try
        {
            File.Delete(file);
            return true;
        }
        catch (Exception e) when (IsIo(e))
        {
            return false;
        }
    }

    public static bool IsIo(Exception e) => e is IOException or UnauthorizedAccessException;

    private void FlushNames()
    {
        try
        {
            PosixFile.FlushFolder(path);
        }
        catch (IOException e)
        {
            throw new FlushFailedException($"flushing the folder {path} to disk failed: {e.Message}", e);
        }
    }

    private string Name(string prefix, long index, string suffix) =>
        Path.Combine(path, string.Create(CultureInfo.InvariantCulture, $"{prefix}{index:D10}{suffix}"));

    private List<long> Numbers(string prefix, string suffix)
    {
        var numbers = new List<long>();
        foreach (var file in Directory.EnumerateFiles(path, prefix + "*" + suffix))
        {
            var name = Path.GetFileName(file.AsSpan());
            var digits = name[prefix.Length..^suffix.Length];
            if (long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                numbers.Add(number);
            }
        }

        numbers.Sort();
        return numbers;
    }
}
