namespace FenceGateway.Replication;

/// <summary>
/// How far back the next round has to read. Numbers are given before changes commit, in some stores, so a change with a
/// lower number can turn up after one with a higher number was read. What was not yet committed when a round began, and
/// takes less than the overlap to commit, got its number less than the overlap before that round began: above the
/// highest number that any round had seen which ended earlier than that. So each round reads back to there, however
/// late it comes. No clock but this process's own is asked.
/// </summary>
internal sealed class ReplicationBound(TimeProvider time, TimeSpan overlap)
{
    /// <summary>
    /// Rounds come at most every 75 ms; more than fit are left out, which only makes the next round read more.
    /// </summary>
    private const int Capacity = 256;

    private readonly Queue<(long Ended, long Highest)> _rounds = new();

    /// <summary>The highest number of all rounds.</summary>
    public long Highest { get; private set; }

    /// <summary>No round was completed yet.</summary>
    public bool IsNew { get; private set; } = true;

    /// <summary>Everything up to this number was read; 0 before the first round.</summary>
    public long Value { get; private set; }

    /// <summary>A round has read everything down to <see cref="Value"/>, or handed the rest over.</summary>
    /// <param name="begun">When it asked its first question.</param>
    /// <param name="highest">The highest number that was committed then.</param>
    public void Completed(long begun, long highest)
    {
        while (_rounds.TryPeek(out var round) && time.GetElapsedTime(round.Ended, begun) >= overlap)
        {
            Value = _rounds.Dequeue().Highest;
        }

        IsNew = false;
        Highest = Math.Max(Highest, highest);
        if (_rounds.Count < Capacity)
        {
            _rounds.Enqueue((time.GetTimestamp(), highest));
        }
    }

    /// <summary>The numbers began anew.</summary>
    public void Reset()
    {
        _rounds.Clear();
        (Highest, Value) = (0, 0);
    }
}
