namespace FenceGateway.TestKit;

/// <summary>What must hold of a history's events before anything can be concluded from it.</summary>
internal static class HistoryEvents
{
    public static void Require(List<ServiceWrite> writes, List<GatewayAnswer> answers)
    {
        foreach (var write in writes)
        {
            if (write.Token < 1 || write.AppliedAt < write.Started || write.Ended < write.Started
                || write.Ended < write.AppliedAt)
            {
                throw new ArgumentException($"Not a history: {write}", nameof(writes));
            }
        }

        HashSet<string> ids = new(StringComparer.Ordinal);
        foreach (var answer in answers)
        {
            if (answer.Token < 1 || answer.Answered < answer.Sent
                || (answer.Answered is null) != (answer.Status is null)
                || !ids.Add(answer.RequestId))
            {
                throw new ArgumentException($"Not a history, or an id used twice: {answer}", nameof(answers));
            }
        }
    }
}
