using System.Runtime.CompilerServices;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>
/// The store's atomic steps on one resource, each under its stripe's lock: look, decide, put the change into the log's
/// queue, change the mark. The order of a resource's records in the log is therefore the order of its changes.
/// </summary>
/// <remarks>Nothing here waits. A step hands out the LSN that has to be durable before its answer may leave.</remarks>
internal sealed class MarkChanges(MarkTable table, CommitQueue queue, CrashHold hold, TimeProvider clock)
{
    /// <summary>The mark if it is durable, else 0: one that is not on the disk yet may be lost.</summary>
    public long PeekMark(ReadOnlySpan<char> key)
    {
        var hash = KeyText.Hash(key);
        var stripe = table.StripeOf(hash);
        lock (stripe.Gate)
        {
            var number = stripe.Find(key, hash);
            return number >= 0 && stripe[number].Lsn <= queue.DurableLsn ? stripe[number].Mark : 0;
        }
    }

    public MarkRecord? Find(ResourceKey resource)
    {
        var hash = KeyText.Hash(resource.Value);
        var stripe = table.StripeOf(hash);
        lock (stripe.Gate)
        {
            var number = stripe.Find(resource.Value, hash);
            if (number < 0)
            {
                return null;
            }

            ref var entry = ref stripe[number];
            return new MarkRecord(
                resource, entry.Mark, DateTimeOffset.FromUnixTimeMilliseconds(entry.ChangedAt), entry.Lsn,
                hold.Writers(in entry));
        }
    }

    /// <summary>Ends the crash hold of a resource. Whether there was one.</summary>
    public bool Resolve(ResourceKey resource)
    {
        var hash = KeyText.Hash(resource.Value);
        var stripe = table.StripeOf(hash);
        lock (stripe.Gate)
        {
            var number = stripe.Find(resource.Value, hash);
            if (number < 0 || !hold.Holds(in stripe[number]))
            {
                return false;
            }

            stripe[number].Flags &= ~MarkFlags.Recovered;
            return true;
        }
    }

    /// <summary>Decides on a token and raises the mark.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="lsn">The change that has to be durable before the reply is given.</param>
    public EnterReply Enter(in EnterRequest request, out long lsn)
    {
        var key = request.Resource.Value.AsSpan();
        var token = request.Token.Value;
        var hash = KeyText.Hash(key);
        var stripe = table.StripeOf(hash);
        lock (stripe.Gate)
        {
            var number = stripe.Find(key, hash);
            ref var entry = ref number >= 0 ? ref stripe[number] : ref Unsafe.NullRef<MarkEntry>();
            long mark = 0;
            var held = FenceRule.None;
            TimeSpan left = default;
            lsn = 0;
            if (number >= 0)
            {
                mark = entry.Mark;
                lsn = entry.Lsn;
                held = hold.LowestToken(in entry, request.InDoubtHold, out left);
            }

            var status = FenceRule.Enter(mark, token, Math.Min(request.Oldest.Value, held));
            if (status == EnterStatus.Stale)
            {
                return new EnterReply(status, new FencingToken(mark));
            }

            queue.ThrowIfFaulted();
            if (token > mark)
            {
                var flags = status == EnterStatus.Draining ? MarkFlags.Contended : MarkFlags.None;
                lsn = ChangeLocked(
                    stripe, number, key, hash,
                    new LogRecord { Kind = RecordKind.Advance, Flags = flags, Mark = token });
            }

            return new EnterReply(status, request.Token, held < token ? left : default);
        }
    }

    /// <summary>Sets an operator's mark.</summary>
    /// <returns>The LSN of the change; null when writes of a process before may still be in flight.</returns>
    public long? SetMark(SetMarkRequest request, out long oldMark)
    {
        var key = request.Resource.Value.AsSpan();
        var hash = KeyText.Hash(key);
        var stripe = table.StripeOf(hash);
        lock (stripe.Gate)
        {
            var number = stripe.Find(key, hash);
            oldMark = number < 0 ? 0 : stripe[number].Mark;
            if (number >= 0 && hold.Left(in stripe[number], request.InDoubtHold) > TimeSpan.Zero)
            {
                return null;
            }

            // Nothing of this process is in flight, but something of the one before may be: contended, to be safe.
            return ChangeLocked(stripe, number, key, hash, new LogRecord
            {
                Kind = RecordKind.SetMark,
                Flags = MarkFlags.Contended,
                Mark = request.Mark,
                OldMark = oldMark,
                Reason = Encoding.UTF8.GetBytes(request.Reason),
                Actor = Encoding.UTF8.GetBytes(request.Actor),
            });
        }
    }

    [SkipLocalsInit]
    private long ChangeLocked(MarkStripe stripe, int number, ReadOnlySpan<char> key, uint hash, LogRecord change)
    {
        Span<byte> buffer = stackalloc byte[KeyText.MaxBytes];
        var bytes = buffer[..KeyText.Encode(key, buffer)];
        var at = clock.GetUtcNow().ToUnixTimeMilliseconds();

        // Whatever can fail comes before the log has the record, so that memory and log never differ.
        if (number < 0)
        {
            table.ReserveLocked(stripe, bytes.Length);
        }

        long lsn;
        try
        {
            lsn = queue.Append(change.For(bytes, at));
        }
        catch when (number < 0)
        {
            table.Release();
            throw;
        }

        if (number < 0)
        {
            number = stripe.Add(bytes, hash);
        }

        ref var entry = ref stripe[number];
        entry.Mark = change.Mark;
        entry.Lsn = lsn;
        entry.ChangedAt = at;
        entry.Flags = (entry.Flags & MarkFlags.Recovered) | change.Flags;
        return lsn;
    }
}
