using FenceGateway.Fencing;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>What an Enter makes of a resource.</summary>
/// <param name="After">The resource afterwards.</param>
/// <param name="Reply">The answer, once the change was applied.</param>
/// <param name="AsksSessions">Whether others are registered: whether they live is asked in the same step.</param>
internal sealed record EtcdStep(EtcdResource After, EnterReply Reply, bool AsksSessions);

/// <summary>The decisions, pure. What they rest on is compared by etcd in the step that applies them.</summary>
internal static class EtcdEnter
{
    public static EtcdStep Decide(EtcdResource before, EnterRequest request, Func<string, TimeSpan?> goneFor, DateTimeOffset now)
    {
        var own = before.WriterOf(request.Session);
        if (request.Token.Value < before.Mark)
        {
            return new EtcdStep(before, new EnterReply(EnterStatus.Stale, new FencingToken(before.Mark)), false);
        }

        if (own is not null && own.Sequence > request.Sequence)
        {
            // A later Enter of this gateway was faster: this one comes too late to say anything.
            var mark = new FencingToken(Math.Max(before.Mark, own.Token));
            return new EtcdStep(before, new EnterReply(EnterStatus.Draining, mark, HeldElsewhere: true), false);
        }

        List<EtcdWriter> writers = [];
        var (lowest, heldElsewhere, retryAfter) = (FenceRule.None, false, TimeSpan.Zero);
        foreach (var writer in before.Writers)
        {
            if (writer.Session == request.Session)
            {
                continue;
            }

            var gone = goneFor(writer.Session);
            if (gone >= request.InDoubtHold)
            {
                continue;
            }

            writers.Add(writer);
            lowest = Math.Min(lowest, writer.Token);
            if (writer.Token < request.Token.Value)
            {
                heldElsewhere |= gone is null;
                retryAfter = gone is { } g && request.InDoubtHold - g > retryAfter ? request.InDoubtHold - g : retryAfter;
            }
        }

        var asksSessions = writers.Count > 0;
        var status = FenceRule.Enter(before.Mark, request.Token.Value, Math.Min(request.Oldest.Value, lowest));
        if (status == EnterStatus.Admitted)
        {
            writers.Add(new EtcdWriter(request.Session, request.Token.Value, request.Sequence));
        }
        else if (request.Oldest < request.Token)
        {
            writers.Add(new EtcdWriter(request.Session, request.Oldest.Value, request.Sequence));
        }
        else if (own?.Token == request.Token.Value)
        {
            // With nothing older on its way, the session may still have writes with this very token.
            writers.Add(own with { Sequence = request.Sequence });
        }

        var after = before with
        {
            Mark = request.Token.Value,
            AdvancedAt = request.Token.Value == before.Mark ? before.AdvancedAt : now,
            Writers = writers.SequenceEqual(before.Writers) ? before.Writers : writers,
        };
        return new EtcdStep(after, new EnterReply(status, request.Token, retryAfter, heldElsewhere), asksSessions);
    }

    /// <summary>The resource without the registration of a session, unless a later one than <paramref name="sequence"/> is stored.</summary>
    public static EtcdResource Withdraw(EtcdResource before, string session, long sequence) =>
        before.WriterOf(session) is { } own && own.Sequence <= sequence
            ? before with { Writers = [.. before.Writers.Where(w => w != own)] }
            : before;

    /// <summary>The resource with an operator's mark; null when somebody else holds it.</summary>
    public static EtcdResource? SetMark(
        EtcdResource before, string session, long mark, TimeSpan inDoubtHold, Func<string, TimeSpan?> goneFor, DateTimeOffset now)
    {
        var held = before.Writers.Any(w => w.Session != session && !(goneFor(w.Session) >= inDoubtHold));
        return held ? null : before with { Mark = mark, AdvancedAt = now, Writers = [] };
    }
}
