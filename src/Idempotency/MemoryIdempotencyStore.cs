namespace FenceGateway.Idempotency;

/// <summary>
/// Keys and answers in memory and nowhere else: a restart forgets them, and repeats are sent again. For tests and first
/// steps.
/// </summary>
public sealed class MemoryIdempotencyStore : IIdempotencyStore
{
    private readonly KeyTable<StoredAnswer> _table;
    private readonly long _maxBytes;
    private readonly TimeProvider _clock;
    private volatile string? _refusal = "The idempotency store is not open.";

    /// <summary>Makes an empty store.</summary>
    /// <param name="maxEntries">Keys that may be held.</param>
    /// <param name="maxBytes">Bytes of answers at which no new key is taken; answers under way may go beyond
    /// it.</param>
    /// <param name="clock">Tells the time.</param>
    public MemoryIdempotencyStore(int maxEntries, long maxBytes, TimeProvider clock) =>
        (_maxBytes, _clock, _table) = (maxBytes, clock, new KeyTable<StoredAnswer>(maxEntries, AnswerRecord.SizeOf));

    /// <inheritdoc/>
    public string Location => "this process";

    /// <inheritdoc/>
    public long Count => _table.Count;

    /// <inheritdoc/>
    public long Bytes => _table.Bytes;

    private long Now => _clock.GetUtcNow().ToUnixTimeMilliseconds();

    /// <inheritdoc/>
    public ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        _refusal = null;
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<ClaimReply> ClaimAsync(ClaimRequest request, CancellationToken cancellationToken)
    {
        var refusal = _refusal ?? (Bytes < _maxBytes ? null : $"Answers take {_maxBytes} bytes, which is the limit.");
        var reply = _table.Claim(in request, Now, refusal, out var answer);
        return ValueTask.FromResult(reply with { Answer = answer });
    }

    /// <inheritdoc/>
    public ValueTask StartAsync(IdempotencyClaim claim, CancellationToken cancellationToken) => _refusal is { } refusal
        ? ValueTask.FromException(new IdempotencyStoreUnavailableException(refusal))
        : ValueTask.CompletedTask;

    /// <inheritdoc/>
    public ValueTask CompleteAsync(IdempotencyClaim claim, StoredAnswer answer, CancellationToken cancellationToken)
    {
        // A copy, since the body may be part of a larger buffer.
        _table.Complete(claim, answer with { Body = answer.Body.ToArray() }, KeyTable.Expiry(claim, Now));
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask AbandonAsync(IdempotencyClaim claim, UnknownReason reason, CancellationToken cancellationToken)
    {
        _table.Abandon(claim, reason, KeyTable.Expiry(claim, Now));
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask ReleaseAsync(IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        _table.Release(claim);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _refusal = "The idempotency store is closed.";
        return ValueTask.CompletedTask;
    }
}
