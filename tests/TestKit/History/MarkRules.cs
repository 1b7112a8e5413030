namespace FenceGateway.TestKit;

/// <summary>
/// The rules about the mark of one resource, as answers tell of it. Each gives the first violation, or null.
/// </summary>
internal static class MarkRules
{
    /// <summary>
    /// I2 and I9: once the mark is known to have stood at a token, no request with a lower one that is sent later is
    /// admitted, whatever was restarted in between.
    /// </summary>
    /// <remarks>
    /// Known to everybody: a token that was admitted, seen at the service or in an answer of the service. Known to the
    /// gateway that said so: a token that waits (503) or one above a stale one (409). The latter are recorded in the
    /// store as well, but another gateway that was registered before may go on with its older token until it is told; a
    /// token that it sees for the first time has to meet the mark in the store.
    /// </remarks>
    public static (string Rule, string Why)? Survives(List<ServiceWrite> writes, List<GatewayAnswer> answers)
    {
        var arrived = writes.Select(w => w.RequestId).OfType<string>().ToHashSet(StringComparer.Ordinal);
        var bySent = answers.OrderBy(a => a.Sent).ToList();
        var admitted = Evidence(writes, bySent);
        var said = answers.SelectMany(Said).ToList();
        var first = new Dictionary<(string?, long), long>();
        bySent.ForEach(a => first.TryAdd((a.Gateway, a.Token), a.Sent));

        var everybody = new KnownMark(admitted);
        var own = said.GroupBy(m => m.Gateway ?? "").ToDictionary(
            g => g.Key, g => new KnownMark(g), StringComparer.Ordinal);
        foreach (var answer in bySent)
        {
            var isAdmitted = arrived.Contains(answer.RequestId) || answer.ProvesMark;
            var known = everybody.Before(answer.Sent);
            if (isAdmitted && known.Value > answer.Token)
            {
                return Violation("I2", answer, known);
            }

            known = own.TryGetValue(answer.Gateway ?? "", out var heard) ? heard.Before(answer.Sent) : default;
            if (isAdmitted && known.Value > answer.Token)
            {
                return Violation("I2", answer, known);
            }
        }

        // By the time of the first request of each token at each gateway: from then on it may be registered.
        var recorded = new KnownMark(said);
        foreach (var answer in bySent.OrderBy(a => first[(a.Gateway, a.Token)]))
        {
            var known = recorded.Before(first[(answer.Gateway, answer.Token)]);
            if (known.Value > answer.Token && (arrived.Contains(answer.RequestId) || answer.ProvesMark))
            {
                return Violation("I9", answer, known);
            }
        }

        return null;
    }

    /// <summary>
    /// I9: a mark that an answer shows is one that somebody had presented, fits the answer, and is never lower than
    /// what the same gateway has shown before.
    /// </summary>
    public static (string Rule, string Why)? Linearizable(List<GatewayAnswer> answers)
    {
        var presented = new Queue<GatewayAnswer>(answers.Where(a => a.MayHaveRecorded).OrderBy(a => a.Sent));
        HashSet<long> tokens = [];
        foreach (var shown in answers.Where(a => a.Mark > 0).OrderBy(a => a.Answered))
        {
            while (presented.TryPeek(out var next) && next.Sent < shown.Answered)
            {
                _ = tokens.Add(presented.Dequeue().Token);
            }

            if (!tokens.Contains(shown.Mark!.Value))
            {
                return ("I9", $"{shown} shows a mark that nobody had presented");
            }

            if ((shown.IsStale && shown.Mark <= shown.Token) || (shown.IsDraining && shown.Mark < shown.Token))
            {
                return ("I9", $"{shown} shows a mark that contradicts it");
            }
        }

        return answers.Where(Tells).GroupBy(a => a.Gateway ?? "").Select(g => NeverLower([.. g])).FirstOrDefault(
            v => v is not null);
    }

    private static (string Rule, string Why)? NeverLower(List<GatewayAnswer> answers)
    {
        var before = new Queue<GatewayAnswer>(answers.OrderBy(a => a.Answered));
        GatewayAnswer? highest = null;
        foreach (var answer in answers.OrderBy(a => a.Sent))
        {
            while (before.TryPeek(out var next) && next.Answered < answer.Sent)
            {
                highest = highest is null || next.Mark > highest.Mark ? next : highest;
                _ = before.Dequeue();
            }

            if (highest is not null && answer.Mark < highest.Mark)
            {
                return ("I9", $"{answer} shows a lower mark than {highest} had shown before");
            }
        }

        return null;
    }

    /// <summary>
    /// Answers that depend on the mark; what is refused for want of a store may show what little a restarted gateway
    /// knows.
    /// </summary>
    private static bool Tells(GatewayAnswer answer) => answer.Mark is not null && (answer.IsStale || answer.IsDraining);

    private static IEnumerable<Mark> Evidence(List<ServiceWrite> writes, List<GatewayAnswer> answers) =>
        writes.Select(w => new Mark(w.Started, w.Token, null, w))
            .Concat(answers.Where(a => a.ProvesAdmission).Select(a => new Mark(a.Answered!.Value, a.Token, null, a)));

    private static IEnumerable<Mark> Said(GatewayAnswer answer)
    {
        if (answer.IsDraining)
        {
            yield return new Mark(answer.Answered!.Value, answer.Token, answer.Gateway, answer);
        }

        if (answer.IsStale && answer.Token < long.MaxValue)
        {
            yield return new Mark(answer.Answered!.Value, answer.Token + 1, answer.Gateway, answer);
        }

        if (answer.Mark is > 0)
        {
            yield return new Mark(answer.Answered!.Value, answer.Mark.Value, answer.Gateway, answer);
        }
    }

    private static (string Rule, string Why) Violation(string rule, GatewayAnswer answer, Mark known) =>
        (rule, $"{answer} was admitted although the mark was at least {known.Value} before it was sent, known from "
            + $"{known.Event}");

    private readonly record struct Mark(long At, long Value, string? Gateway, object? Event);

    /// <summary>The highest mark known before a moment; asked with moments that never go back.</summary>
    private sealed class KnownMark(IEnumerable<Mark> marks)
    {
        private readonly Queue<Mark> _later = new(marks.OrderBy(m => m.At));
        private Mark _highest;

        public Mark Before(long moment)
        {
            while (_later.TryPeek(out var next) && next.At < moment)
            {
                _highest = next.Value > _highest.Value ? next : _highest;
                _ = _later.Dequeue();
            }

            return _highest;
        }
    }
}
