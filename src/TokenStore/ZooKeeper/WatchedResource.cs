namespace FenceGateway.TokenStore.ZooKeeper;

/// <summary>
/// A resource in which this gateway has an interest: it is registered there, or may be, or waits there, or a step is
/// under way. Its latest known data is what the next step begins with, and a watch tells when somebody else has changed
/// it.
/// </summary>
internal sealed class WatchedResource(ResourceKey key, string path)
{
    private readonly Lock _gate = new();
    private int _users;
    private bool _gone;
    private int? _unsettled;
    private volatile bool _waiting;
    private volatile StoredResource? _latest;

    public ResourceKey Key { get; } = key;

    public string Path { get; } = path;

    /// <summary>One step of this gateway at a time: they would only lose races to each other.</summary>
    public SemaphoreSlim Turn { get; } = new(1);

    /// <summary>The newest data known; null when it was not read yet.</summary>
    public StoredResource? Latest => _latest;

    /// <summary>A step may have been taken, or may be taken yet: nothing has told so far.</summary>
    public bool IsUnsettled
    {
        get
        {
            lock (_gate)
            {
                return _unsettled is not null;
            }
        }
    }

    /// <summary>False when it has been dropped: take another one.</summary>
    public bool TryUse()
    {
        lock (_gate)
        {
            _users += _gone ? 0 : 1;
            return !_gone;
        }
    }

    /// <summary>
    /// Ends a use. True when it was the last one and nothing else keeps the resource: it has been dropped.
    /// </summary>
    public bool EndUse(Func<string, bool> isOwn)
    {
        lock (_gate)
        {
            _users--;
            return DropLocked(isOwn);
        }
    }

    /// <summary>Drops it if nothing keeps it.</summary>
    public bool TryDrop(Func<string, bool> isOwn)
    {
        lock (_gate)
        {
            return DropLocked(isOwn);
        }
    }

    /// <summary>Whether no step is under way; one that is looks for itself whether it missed something.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_gate)
            {
                return _users == 0;
            }
        }
    }

    /// <summary>This gateway waits to be told of the next change.</summary>
    public bool IsWaiting
    {
        get => _waiting;
        set => _waiting = value;
    }

    /// <summary>
    /// A step is about to be sent that writes the version after <paramref name="version"/>. Once any later version is
    /// seen, it has been taken or never will be.
    /// </summary>
    /// <returns>What <see cref="EndWrite"/> is to be told.</returns>
    public int? BeginWrite(int version)
    {
        lock (_gate)
        {
            var before = _unsettled;
            _unsettled = version;
            return before;
        }
    }

    /// <summary>It is known what became of the step; of one that was lost before it, nothing new.</summary>
    public void EndWrite(int? before)
    {
        lock (_gate)
        {
            _unsettled = before;
        }
    }

    /// <summary>Takes over what was read or written. Whether it is newer than what was known.</summary>
    public bool Learn(StoredResource stored)
    {
        lock (_gate)
        {
            if (Latest is { } latest && stored.Zxid <= latest.Zxid)
            {
                return false;
            }

            _latest = stored;
            if (stored.Version > _unsettled)
            {
                _unsettled = null;
            }

            return true;
        }
    }

    /// <summary>Where a session of this gateway is registered below the mark; the mark, else 0.</summary>
    public long RevokedMark(Func<string, bool> isOwn)
    {
        if (Latest is not { } stored)
        {
            return 0;
        }

        foreach (var writer in stored.Writers)
        {
            if (writer.Token < stored.Mark && isOwn(writer.Session))
            {
                return stored.Mark;
            }
        }

        return 0;
    }

    private bool DropLocked(Func<string, bool> isOwn)
    {
        if (_gone || _users > 0 || IsWaiting || _unsettled is not null
            || (Latest?.Writers.Any(w => isOwn(w.Session)) ?? false))
        {
            return false;
        }

        return _gone = true;
    }
}
