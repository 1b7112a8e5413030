using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Idempotency;
using FenceGateway.Gateway.Requests;
using Microsoft.Net.Http.Headers;

namespace FenceGateway.Gateway.Resilience.Retries;

/// <summary>
/// Decides whether one request gets another attempt: only where it is safe, while attempts are left, and within the
/// budget. Safe is what was not sent, and what the service may get twice: an idempotent method, or a key that the
/// service honours.
/// </summary>
internal sealed class RetryDecision(HttpContext context, Retrying retrying, RetryMetrics metrics, TimeProvider time)
{
    private readonly bool _mayBeSentTwice = MayBeSentTwice(context.Request, retrying);

    /// <summary>Another attempt was granted and has not begun yet.</summary>
    public bool IsGranted { get; private set; }

    /// <summary>How long the service asked to be left alone; null when it did not.</summary>
    public TimeSpan? RetryAfter { get; private set; }

    /// <summary>
    /// Whether another attempt would follow if this one fails as failures do; decides whether the body is kept.
    /// </summary>
    public bool KeepsBody => _mayBeSentTwice;

    /// <summary>
    /// The head of the service's answer is there. True: the answer is dropped, for another attempt follows.
    /// </summary>
    public bool DropAnswer(HttpResponseMessage answer, in AttemptState attempts)
    {
        var status = (int)answer.StatusCode;
        if (!retrying.Policy.Statuses.Contains(status) || !_mayBeSentTwice)
        {
            return false;
        }

        RetryAfter = answer.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - time.GetUtcNow(),
            // .NET reads no more seconds than an int has.
            _ when answer.Headers.NonValidated.TryGetValues(HeaderNames.RetryAfter, out var values)
                && values.ToString() is { Length: > 0 } text && text.All(char.IsAsciiDigit) => TimeSpan.MaxValue,
            _ => null,
        };
        if (RetryAfter > retrying.Policy.MaxDelay || !CanReplayBody())
        {
            return false;
        }

        return Grant(attempts, RetryReason.Status);
    }

    /// <summary>An attempt has failed. True: another one follows.</summary>
    public bool GrantAfter(AttemptResult failed, in AttemptState attempts)
    {
        if (IsGranted)
        {
            // By the head of the answer, already.
            return true;
        }

        RetryAfter = null;
        var isSafe = failed.End == ForwardEnd.NotSent || (_mayBeSentTwice && CanReplayBody());
        return failed.Fault is AttemptFault.Unreachable or AttemptFault.TimedOut or AttemptFault.Broken
            && isSafe
            && !context.Response.HasStarted
            && Grant(attempts, failed.Fault switch
            {
                AttemptFault.Unreachable => RetryReason.Unreachable,
                AttemptFault.TimedOut => RetryReason.TimedOut,
                _ => RetryReason.Broken,
            });
    }

    /// <summary>The granted attempt begins.</summary>
    public void Use() => IsGranted = false;

    private bool Grant(in AttemptState attempts, RetryReason reason)
    {
        if (attempts.Count >= retrying.Policy.MaxAttempts)
        {
            return false;
        }

        IsGranted = retrying.Budget.TryTake();
        if (IsGranted)
        {
            metrics.Retried(retrying.Route, reason);
        }
        else
        {
            metrics.OutOfBudget(retrying.Route);
        }

        return IsGranted;
    }

    /// <summary>Whether the body can be sent once more: there is none, or all of it has been kept.</summary>
    private bool CanReplayBody()
    {
        var request = context.Request;
        return request.ContentLength is 0
            || (request.ContentLength is null && !RequestSemantics.CanHaveBody(context))
            || (request.Body.CanSeek && request.Body.Length == request.ContentLength);
    }

    /// <summary>
    /// A conditional write is not idempotent for whoever asks: the second one finds what the first one did, and is told
    /// 412.
    /// </summary>
    private static bool MayBeSentTwice(HttpRequest request, Retrying retrying) =>
        (RequestSemantics.IsIdempotent(request.Method)
            && (RequestSemantics.IsSafe(request.Method) || !RequestSemantics.IsConditional(request.Headers)))
        || (retrying.KeysAreHonoured && request.Headers[IdempotencyKey.Header].Count == 1);
}
