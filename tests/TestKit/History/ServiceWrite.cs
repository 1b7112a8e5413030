namespace FenceGateway.TestKit;

/// <summary>
/// A write with a token as the service saw it. All numbers are events of one <see cref="EventClock"/>.
/// </summary>
/// <param name="RequestId">The id that the client gave it; null when unknown.</param>
/// <param name="Resource">What it wrote to, named as in <see cref="GatewayAnswer.Resource"/>.</param>
/// <param name="Token">The token that the service got.</param>
/// <param name="Started">It arrived.</param>
/// <param name="AppliedAt">It had its effect; null when it had none.</param>
/// <param name="Ended">The service was done with it; null when it never was.</param>
public sealed record ServiceWrite(
    string? RequestId, string Resource, long Token, long Started, long? AppliedAt, long? Ended)
{
    /// <summary>From the journal; the resource is the path.</summary>
    public static ServiceWrite From(JournalEntry entry) =>
        new(
            entry.RequestId,
            entry.Resource,
            entry.Token ?? throw new ArgumentException("A write without a token is not fenced", nameof(entry)),
            entry.Started,
            entry.AppliedAt,
            entry.Ended);

    public override string ToString() =>
        $"write {RequestId ?? "?"} with token {Token} (arrived {Started}, applied {AppliedAt?.ToString() ?? "never"}, "
            + $"ended {Ended?.ToString() ?? "never"})";
}
