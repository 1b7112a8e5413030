namespace FenceGateway.DurableLog.Tests;

/// <summary>
/// Files that keep what was not flushed in memory, as a machine does that can lose its power: a flush brings it to the
/// real file, a crash loses it or keeps an arbitrary part.
/// </summary>
internal sealed class FaultyDisk : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<FaultyFile> _files = [];
    private volatile HeldFlush? _held;
    private bool _dead;

    public Exception? WriteFault { get; set; }

    public Exception? FlushFault { get; set; }

    /// <summary>Bytes of a write that succeed before <see cref="WriteFault"/>.</summary>
    public int PartialWrite { get; set; }

    /// <summary>Called before a file with that in its name is written.</summary>
    public Action<string>? OnWrite { get; set; }

    public ISegmentFile Create(string path)
    {
        var file = new FaultyFile(this, path);
        lock (_gate)
        {
            _files.Add(file);
        }

        return file;
    }

    /// <summary>From now on flushes do not return. The task completes when one has begun.</summary>
    public Task HoldFlushes()
    {
        _held = new HeldFlush();
        return _held.Begun.Task;
    }

    public void ReleaseFlushes()
    {
        var held = _held;
        _held = null;
        held?.Released.Set();
    }

    /// <summary>
    /// The power goes. Of what was written and not flushed <paramref name="keep"/> says which bytes are there later.
    /// </summary>
    public void Crash(Func<int, bool> keep)
    {
        lock (_gate)
        {
            _dead = true;
            foreach (var file in _files)
            {
                file.Lose(keep);
            }
        }

        ReleaseFlushes();
    }

    public void Dispose() => _held?.Released.Dispose();

    private sealed class HeldFlush
    {
        public TaskCompletionSource Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ManualResetEventSlim Released { get; } = new();
    }

    private sealed class FaultyFile(FaultyDisk disk, string path) : ISegmentFile
    {
        private readonly FileStream _real = new(
            path, FileMode.Create, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        private readonly List<(long Offset, byte[] Bytes)> _unsynced = [];

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            disk.OnWrite?.Invoke(path);
            lock (disk._gate)
            {
                ThrowIfDead();
                if (disk.WriteFault is { } fault)
                {
                    _unsynced.Add((offset, bytes[..Math.Min(bytes.Length, disk.PartialWrite)].ToArray()));
                    throw fault;
                }

                _unsynced.Add((offset, bytes.ToArray()));
            }
        }

        public void Flush()
        {
            if (disk._held is { } held)
            {
                held.Begun.TrySetResult();
                held.Released.Wait();
            }

            lock (disk._gate)
            {
                ThrowIfDead();
                if (disk.FlushFault is { } fault)
                {
                    throw fault;
                }

                Apply(_ => true);
            }
        }

        public void Truncate(long length)
        {
            lock (disk._gate)
            {
                ThrowIfDead();
                _unsynced.RemoveAll(w => w.Offset >= length);
                if (_real.Length > length)
                {
                    _real.SetLength(length);
                }
            }
        }

        public void Lose(Func<int, bool> keep)
        {
            if (_real.CanWrite)
            {
                Apply(keep);
            }
        }

        public void Dispose() => _real.Dispose();

        private void ThrowIfDead()
        {
            if (disk._dead)
            {
                throw new IOException("The power is gone.");
            }
        }

        private void Apply(Func<int, bool> keep)
        {
            var at = 0;
            foreach (var (offset, bytes) in _unsynced)
            {
                for (var i = 0; i < bytes.Length; i++, at++)
                {
                    if (keep(at))
                    {
                        _real.Position = offset + i;
                        _real.WriteByte(bytes[i]);
                    }
                }
            }

            _unsynced.Clear();
            _real.Flush();
        }
    }
}
