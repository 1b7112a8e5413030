namespace FenceGateway.TestKit;

/// <summary>
/// A request with a token as its client saw it. A history needs all of them, reads and those without an answer
/// included: any of them may be the reason for a 409. What the policy does not fence (reads with <c>Reads: Ignore</c>)
/// is left out.
/// </summary>
/// <param name="RequestId">The id that the client gave it.</param>
/// <param name="Resource">The resource.</param>
/// <param name="Token">The token that the client sent.</param>
/// <param name="Sent">Event: before its first byte was sent.</param>
/// <param name="Answered">Event: after the answer's status had come; null when no answer came.</param>
/// <param name="Status">The status; null when no answer came.</param>
/// <param name="Problem">
/// The problem type's name (<c>fencing-token-stale</c>) when the gateway answered itself; null for an answer of the
/// service.
/// </param>
/// <param name="Gateway">
/// Which gateway of a fleet it was sent to, the same name after a restart; null when there is only one.
/// </param>
/// <param name="Mark">The mark that the gateway's own answer shows (<c>ExposeMark</c>); null when it shows
/// none.</param>
public sealed record GatewayAnswer(
    string RequestId,
    string Resource,
    long Token,
    long Sent,
    long? Answered,
    int? Status,
    string? Problem,
    string? Gateway = null,
    long? Mark = null)
{
    internal const string Stale = "fencing-token-stale";
    internal const string Draining = "fence-draining";

    /// <summary>The gateway said 409: this attempt was not forwarded and never can be.</summary>
    internal bool IsStale => Problem == Stale;

    /// <summary>Older writes hold it back.</summary>
    internal bool IsDraining => Problem == Draining;

    /// <summary>The answer says that the request was never forwarded.</summary>
    internal bool SaysNotForwarded => Problem is not null and not ("upstream-unreachable" or "upstream-timeout");

    /// <summary>
    /// The answer can only be given after the request was admitted: everything older had ended everywhere.
    /// </summary>
    internal bool ProvesAdmission => Status is not null && !SaysNotForwarded;

    /// <summary>
    /// The answer can only be given after the token had been recorded: it was admitted, or waits for older writes.
    /// </summary>
    internal bool ProvesMark => ProvesAdmission || IsDraining;

    /// <summary>
    /// The gateway may have recorded the token. Everything that is refused before the admission, which comes last, has
    /// not; a stale one may have: overtaken while it waited for older writes.
    /// </summary>
    internal bool MayHaveRecorded =>
        ProvesMark || Problem is null or Stale or "token-store-unavailable" or "shutting-down";

    public override string ToString() =>
        $"request {RequestId} with token {Token} ({(Gateway is null ? "" : $"to {Gateway}, ")}sent {Sent}, "
        + (Status is null ? "no answer)" : $"answered {Status} {Problem} at "
        + $"{Answered}{(Mark is null ? "" : $" with mark {Mark}")})");
}
