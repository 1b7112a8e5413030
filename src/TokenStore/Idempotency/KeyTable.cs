namespace FenceGateway.TokenStore.Idempotency;

/// <summary>
/// All keys of a store and the state of each. Knows no clock and no disk: the time is given to it, in Unix milliseconds.
/// </summary>
/// <typeparam name="TAnswer">Where an answer is, or the answer itself.</typeparam>
/// <param name="maxEntries">Keys that may be held.</param>
/// <param name="dropped">Hears of each answer that is not held any more. Called under the lock.</param>
internal sealed class KeyTable<TAnswer>(int maxEntries, Action<TAnswer>? dropped = null)
{
    /// <summary>How many expired keys one claim takes away: more than it adds, and few enough not to be felt.</summary>
    private const int DropsPerClaim = 64;

    private const long RunningPause = 60_000;

    private static readonly TimeSpan Soonest = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Latest = TimeSpan.FromMinutes(10);

    private readonly Lock _gate = new();
    private readonly Dictionary<KeyHash, Entry> _entries = [];
    private readonly PriorityQueue<KeyHash, long> _expiries = new();

    private enum State : byte
    {
        Running,
        Completed,
        Unknown,
    }

    public long Count
    {
        get
        {
            lock (_gate)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>Looks a key up and claims it if it is free.</summary>
    /// <param name="request">The key.</param>
    /// <param name="now">The time.</param>
    /// <param name="refusal">Why no new key can be taken; null when one can.</param>
    /// <param name="answer">With <see cref="ClaimStatus.Completed"/>: the answer.</param>
    public ClaimReply Claim(in ClaimRequest request, long now, string? refusal, out TAnswer? answer)
    {
        answer = default;
        lock (_gate)
        {
            DropExpiredLocked(now);
            return FindLocked(request.Key, now) is { } entry
                ? ClaimKnownLocked(in request, entry, out answer)
                : ClaimNewLocked(in request, now, refusal);
        }
    }

    /// <summary>The claim ends with an answer.</summary>
    public void Complete(IdempotencyClaim claim, TAnswer answer, long expiresAt) =>
        End(claim.Key, new Entry(State.Completed, claim.Fingerprint, expiresAt) { Answer = answer }, isNewExpiry: true);

    /// <summary>The claim ends without anybody knowing how. A key that was unknown before keeps its expiry.</summary>
    public void Abandon(IdempotencyClaim claim, UnknownReason reason, long expiresAt) => End(
        claim.Key,
        new Entry(State.Unknown, claim.Fingerprint, claim.Before is null ? expiresAt : claim.ExpiresAt) { Reason = reason },
        isNewExpiry: claim.Before is null);

    /// <summary>The claim ends as if it had not been made.</summary>
    public void Release(IdempotencyClaim claim)
    {
        if (claim.Before is { } reason)
        {
            Abandon(claim, reason, claim.ExpiresAt);
            return;
        }

        lock (_gate)
        {
            _entries.Remove(claim.Key);
        }
    }

    /// <summary>A record of an earlier process says that the key has an answer. The last record of a key stands.</summary>
    public void RecoverCompleted(KeyHash key, RequestFingerprint fingerprint, long expiresAt, TAnswer answer) =>
        Recover(key, new Entry(State.Completed, fingerprint, expiresAt) { Answer = answer });

    /// <summary>A record of an earlier process says that the key was started, or ended without an answer.</summary>
    public void RecoverUnknown(KeyHash key, RequestFingerprint fingerprint, long expiresAt, UnknownReason reason) =>
        Recover(key, new Entry(State.Unknown, fingerprint, expiresAt) { Reason = reason });

    /// <summary>A record of an earlier process says that the key is free.</summary>
    public void RecoverReleased(KeyHash key)
    {
        lock (_gate)
        {
            _entries.Remove(key);
        }
    }

    /// <summary>All records are recovered.</summary>
    /// <returns>How many keys are unknown.</returns>
    public int FinishRecovery()
    {
        lock (_gate)
        {
            foreach (var (key, entry) in _entries)
            {
                _expiries.Enqueue(key, entry.ExpiresAt);
            }

            return _entries.Values.Count(e => e.State == State.Unknown);
        }
    }

    private void Recover(KeyHash key, Entry entry)
    {
        lock (_gate)
        {
            _entries[key] = entry;
        }
    }

    private ClaimReply ClaimKnownLocked(in ClaimRequest request, Entry entry, out TAnswer? answer)
    {
        answer = default;
        if (entry.Fingerprint != request.Fingerprint)
        {
            return new ClaimReply(ClaimStatus.Reused);
        }

        switch (entry.State)
        {
            case State.Running:
                return new ClaimReply(ClaimStatus.Running);
            case State.Completed:
                answer = entry.Answer;
                return new ClaimReply(ClaimStatus.Completed);
            case State.Unknown when !request.ResendUnknown:
                return new ClaimReply(ClaimStatus.Unknown) { Reason = entry.Reason };
            default:
                _entries[request.Key] = new Entry(State.Running, request.Fingerprint, entry.ExpiresAt);
                return Granted(new IdempotencyClaim(in request, entry.ExpiresAt, entry.Reason));
        }
    }

    private ClaimReply ClaimNewLocked(in ClaimRequest request, long now, string? refusal)
    {
        if (refusal is null && _entries.Count >= maxEntries)
        {
            refusal = $"{maxEntries} keys are remembered, which is the limit, and none of them has expired.";
        }

        if (refusal is not null)
        {
            return new ClaimReply(ClaimStatus.Refused) { Detail = refusal, RetryAfter = UntilNextExpiryLocked(now) };
        }

        var expiresAt = now + (long)request.Ttl.TotalMilliseconds;
        _entries.Add(request.Key, new Entry(State.Running, request.Fingerprint, expiresAt));
        return Granted(new IdempotencyClaim(in request, expiresAt, before: null));
    }

    private static ClaimReply Granted(IdempotencyClaim claim) => new(ClaimStatus.Claimed) { Claim = claim };

    private void End(KeyHash key, Entry entry, bool isNewExpiry)
    {
        lock (_gate)
        {
            DropAnswerLocked(key);
            _entries[key] = entry;
            if (isNewExpiry)
            {
                _expiries.Enqueue(key, entry.ExpiresAt);
            }
        }
    }

    /// <summary>The entry of a key, unless it has expired. One of a request in progress does not expire.</summary>
    private Entry? FindLocked(KeyHash key, long now)
    {
        if (!_entries.TryGetValue(key, out var entry))
        {
            return null;
        }

        if (entry.State == State.Running || entry.ExpiresAt > now)
        {
            return entry;
        }

        DropAnswerLocked(key);
        _entries.Remove(key);
        return null;
    }

    private void DropExpiredLocked(long now)
    {
        for (var i = 0; i < DropsPerClaim && _expiries.TryPeek(out var key, out var at) && at <= now; i++)
        {
            if (FindLocked(key, now) is { State: State.Running })
            {
                // Looked at again when it may have ended.
                _expiries.DequeueEnqueue(key, now + RunningPause);
            }
            else
            {
                // Dropped, or the key has another entry by now, with an expiry of its own.
                _expiries.Dequeue();
            }
        }
    }

    private void DropAnswerLocked(KeyHash key)
    {
        if (dropped is not null && _entries.TryGetValue(key, out var entry) && entry is { State: State.Completed, Answer: { } answer })
        {
            dropped(answer);
        }
    }

    private TimeSpan UntilNextExpiryLocked(long now)
    {
        var next = _expiries.TryPeek(out _, out var at) ? TimeSpan.FromMilliseconds(at - now) : Soonest;
        return next < Soonest ? Soonest : next > Latest ? Latest : next;
    }

    private readonly record struct Entry(State State, RequestFingerprint Fingerprint, long ExpiresAt)
    {
        public UnknownReason Reason { get; init; }

        public TAnswer? Answer { get; init; }
    }
}

/// <summary>What holds for every table.</summary>
internal static class KeyTable
{
    /// <summary>When the key of a claim that ends now expires. Never before what an earlier record of it says.</summary>
    public static long Expiry(IdempotencyClaim claim, long now) => Math.Max(claim.ExpiresAt, now + (long)claim.Ttl.TotalMilliseconds);
}
