namespace FenceGateway.Idempotency;

/// <summary>
/// All keys of a store and the state of each. Knows no clock and no disk: the time is given to it, in Unix
/// milliseconds.
/// </summary>
/// <typeparam name="TAnswer">Where an answer is, or the answer itself.</typeparam>
/// <param name="maxEntries">Keys that may be held.</param>
/// <param name="sizeOf">How many bytes an answer takes. Called under the lock.</param>
internal sealed class KeyTable<TAnswer>(int maxEntries, Func<TAnswer, int> sizeOf)
{
    /// <summary>How many expired keys one claim takes away: more than it adds, and few enough not to be felt.</summary>
    private const int DropsPerClaim = 64;

    private const long RunningPause = 60_000;

    private static readonly TimeSpan Soonest = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Latest = TimeSpan.FromMinutes(10);

    private readonly Lock _gate = new();
    private readonly Dictionary<KeyHash, Entry> _entries = [];
    private readonly PriorityQueue<KeyHash, long> _expiries = new();
    private long _bytes;

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

    /// <summary>Bytes that all keys take, with one record each.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

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
        new Entry(State.Unknown, claim.Fingerprint, claim.Before is null ? expiresAt : claim.ExpiresAt)
        { Reason = reason },
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
            RemoveLocked(claim.Key);
        }
    }

    /// <summary>
    /// Whether a record still counts, so that a copy has to be written before it goes. One record of a key does; where
    /// nobody knows which it is, any may be the only one.
    /// </summary>
    /// <param name="key">The record's key.</param>
    /// <param name="at">Where it is.</param>
    /// <param name="copy">What to write; with an answer, that is to be added.</param>
    /// <returns>Null when that cannot be told: the key is just about to end.</returns>
    public bool? Counts(KeyHash key, TAnswer at, out AnswerRecord copy)
    {
        copy = default;
        lock (_gate)
        {
            if (!_entries.TryGetValue(key, out var entry) || entry.Claim is { IsStarted: false, Before: null })
            {
                return false;
            }

            copy = new AnswerRecord
            {
                Kind = entry.State == State.Completed ? AnswerRecordKind.Completed : AnswerRecordKind.Abandoned,
                Reason = entry.Claim is { IsStarted: true } ? UnknownReason.Interrupted : entry.Reason,
                Key = key,
                Fingerprint = entry.Fingerprint,
                ExpiresAt = entry.ExpiresAt,
            };
            return entry.Claim is { IsEnding: true } ? null : IsAt(entry, at) || IsAt(entry, default);
        }
    }

    /// <summary>From now on the copy is what counts, if the key is still what it says.</summary>
    public void Move(KeyHash key, TAnswer from, TAnswer to, long expiresAt)
    {
        lock (_gate)
        {
            if (_entries.TryGetValue(key, out var entry) && entry.ExpiresAt == expiresAt
                && (IsAt(entry, from) || IsAt(entry, default)))
            {
                _entries[key] = entry with { Answer = to };
            }
        }
    }

    /// <summary>A record of an earlier process. The last one of a key stands.</summary>
    public void Recover(in AnswerRecord record, TAnswer at)
    {
        var state = record.Kind == AnswerRecordKind.Completed ? State.Completed : State.Unknown;
        lock (_gate)
        {
            RemoveLocked(record.Key);
            if (record.Kind != AnswerRecordKind.Released)
            {
                var e = new Entry(state, record.Fingerprint, record.ExpiresAt) { Reason = record.Reason, Answer = at };
                PutLocked(record.Key, in e);
            }
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
                return GrantLocked(new IdempotencyClaim(in request, entry.ExpiresAt, entry.Reason));
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

        return GrantLocked(new IdempotencyClaim(in request, now + (long)request.Ttl.TotalMilliseconds, before: null));
    }

    private ClaimReply GrantLocked(IdempotencyClaim claim)
    {
        PutLocked(claim.Key, new Entry(State.Running, claim.Fingerprint, claim.ExpiresAt)
        {
            Claim = claim,
            Reason = claim.Before ?? UnknownReason.Interrupted,
        });
        return new ClaimReply(ClaimStatus.Claimed) { Claim = claim };
    }

    private void End(KeyHash key, Entry entry, bool isNewExpiry)
    {
        lock (_gate)
        {
            PutLocked(key, in entry);
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

        RemoveLocked(key);
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

    private void PutLocked(KeyHash key, in Entry entry)
    {
        RemoveLocked(key);
        _entries.Add(key, entry);
        _bytes += SizeOf(entry);
    }

    private void RemoveLocked(KeyHash key) => _bytes -= _entries.Remove(key, out var entry) ? SizeOf(entry) : 0;

    private int SizeOf(in Entry of) => of.State == State.Completed ? sizeOf(of.Answer!) : AnswerRecord.HeaderSize;

    private static bool IsAt(in Entry of, TAnswer? at) => EqualityComparer<TAnswer?>.Default.Equals(of.Answer, at);

    private TimeSpan UntilNextExpiryLocked(long now)
    {
        var next = _expiries.TryPeek(out _, out var at) ? TimeSpan.FromMilliseconds(at - now) : Soonest;
        return next < Soonest ? Soonest : next > Latest ? Latest : next;
    }

    private readonly record struct Entry(State State, RequestFingerprint Fingerprint, long ExpiresAt)
    {
        public UnknownReason Reason { get; init; }

        /// <summary>The answer, or where the record that counts is; without a value: nobody knows.</summary>
        public TAnswer? Answer { get; init; }

        /// <summary>While the request is in progress.</summary>
        public IdempotencyClaim? Claim { get; init; }
    }
}

/// <summary>What holds for every table.</summary>
internal static class KeyTable
{
    /// <summary>
    /// When the key of a claim that ends now expires. Never before what an earlier record of it says.
    /// </summary>
    public static long Expiry(IdempotencyClaim claim, long now) =>
        Math.Max(claim.ExpiresAt, now + (long)claim.Ttl.TotalMilliseconds);
}
