using FenceGateway.Gateway.Resilience.Retries;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>The attempts of one request to get an answer from the service. Part of the request's own object.</summary>
internal struct AttemptState
{
    /// <summary>How many attempts were begun.</summary>
    public int Count;

    /// <summary>When the first one was begun, in monotonic ticks.</summary>
    public long FirstAt;

    /// <summary>When the open one was begun, in monotonic ticks; 0 when none is open.</summary>
    public long OpenedAt;

    /// <summary>What ends the open one; null when nothing but the client does.</summary>
    public ForwardDeadline? Deadline;

    /// <summary>The body of the open one, where each piece of it is looked at; null where it has none.</summary>
    public GuardedBody? Body;

    /// <summary>The body of the answer to the open one, where it matters how long the client takes for it; else
    /// null.</summary>
    public ClientAnswer? Answer;

    /// <summary>Whether anything of the open one may have left, as far as anybody can tell.</summary>
    public bool HasLeft;

    /// <summary>The client's own abort while a deadline stands in for it.</summary>
    public CancellationToken Client;

    /// <summary>The status of the service's answer to the open attempt, once its head has arrived; else 0.</summary>
    public int Status;

    /// <summary>Whether that answer has no body, so that its head is all of it.</summary>
    public bool IsWhole;

    /// <summary>How the last one ended; null while none has.</summary>
    public AttemptResult? Last;

    /// <summary>Whether any that has ended may still be applied.</summary>
    public bool LeftInDoubt;

    /// <summary>Whether the service got any that has ended.</summary>
    public bool WasSent;

    /// <summary>
    /// Whether any that has ended may have been applied, be it that its answer was dropped for another attempt.
    /// </summary>
    public bool MayBeApplied;

    /// <summary>Whether the open one waits for its client: for more of the body, or to be rid of the answer.</summary>
    public readonly bool WaitsForClient => Body?.Wait.IsOpen == true || Answer?.Wait.IsOpen == true;

    /// <summary>What decides about further attempts; null when there are none.</summary>
    public RetryDecision? Retry;

    /// <summary>
    /// The head of the service's answer is there: it stops the time to the first byte, and one without a body is the
    /// whole answer whatever becomes of the rest of the request. True: the answer is dropped, for another attempt
    /// follows.
    /// </summary>
    public bool HeadArrived(HttpResponseMessage answer)
    {
        Status = (int)answer.StatusCode;
        HasLeft = true;
        IsWhole = answer.Content.Headers.ContentLength == 0;
        Deadline?.HeadArrived(isUpgrade: Status == StatusCodes.Status101SwitchingProtocols);
        return Retry?.DropAnswer(answer, this) == true;
    }
}
