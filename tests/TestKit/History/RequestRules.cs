namespace FenceGateway.TestKit;

/// <summary>The rules about single requests, followed by their ids.</summary>
internal static class RequestRules
{
    /// <summary>I6: one admission, at most one send to the service.</summary>
    public static IEnumerable<HistoryViolation> SentOnce(List<ServiceWrite> writes)
    {
        Dictionary<string, ServiceWrite> first = new(StringComparer.Ordinal);
        foreach (var write in writes.Where(w => w.RequestId is not null).OrderBy(w => w.Started))
        {
            if (!first.TryAdd(write.RequestId!, write))
            {
                yield return new("I6", write.Resource, $"{write} had arrived before: {first[write.RequestId!]}");
            }
        }
    }

    /// <summary>
    /// R9: what was refused was not forwarded. R10: what was forwarded carries the token that the client sent.
    /// </summary>
    public static IEnumerable<HistoryViolation> Told(List<ServiceWrite> writes, List<GatewayAnswer> answers)
    {
        var answerOf = answers.ToDictionary(a => a.RequestId, StringComparer.Ordinal);
        foreach (var write in writes)
        {
            if (write.RequestId is null || !answerOf.TryGetValue(write.RequestId, out var answer))
            {
                continue;
            }

            if (answer.SaysNotForwarded)
            {
                yield return new(
                    "R9", write.Resource, $"{answer} was told that it was not forwarded, but it arrived: {write}");
            }

            if (answer.Token != write.Token || answer.Resource != write.Resource)
            {
                yield return new(
                    "R10", write.Resource,
                    $"{answer} on {answer.Resource} arrived with another token or resource: {write}");
            }
        }
    }
}
