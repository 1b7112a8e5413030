namespace FenceGateway.TestKit;

/// <summary>How a request ended at the service.</summary>
public enum JournalResult
{
    /// <summary>Not yet.</summary>
    Pending,

    /// <summary>It had its effect, whatever was answered and whether or not the answer arrived.</summary>
    Applied,

    /// <summary>Answered, without any effect.</summary>
    Refused,

    /// <summary>Ended without any effect and without an answer: cut off while its body was read, or reset.</summary>
    Aborted,
}

/// <summary>
/// A request that arrived at the service. Event numbers come from the service's <see cref="EventClock"/>.
/// </summary>
public sealed record JournalEntry
{
    /// <summary>Event: its head has arrived.</summary>
    public required long Started { get; init; }

    /// <summary>Event: its effect happened; null when it had none (yet).</summary>
    public long? AppliedAt { get; init; }

    /// <summary>Event: the service is done with it, just before it answers; null while it is not.</summary>
    public long? Ended { get; init; }

    public required string Method { get; init; }

    /// <summary>The decoded path.</summary>
    public required string Resource { get; init; }

    /// <summary>The request target exactly as received.</summary>
    public required string Target { get; init; }

    /// <summary>Of the header <c>Fencing-Token</c>; null when it is absent or not one number.</summary>
    public required long? Token { get; init; }

    /// <summary>Of the header <see cref="JournalService.RequestIdHeader"/>; null when it is absent.</summary>
    public required string? RequestId { get; init; }

    /// <summary>All headers with the values of their lines; names compare without case.</summary>
    public required IReadOnlyDictionary<string, string[]> Headers { get; init; }

    /// <summary><c>HTTP/1.1</c> or <c>HTTP/2</c>.</summary>
    public required string Protocol { get; init; }

    /// <summary>How many bytes of the body were read.</summary>
    public long BodyLength { get; init; }

    public JournalResult Result { get; init; }

    /// <summary>The status answered; null when none was.</summary>
    public int? Status { get; init; }

    /// <summary>Anything but GET, HEAD, OPTIONS and TRACE.</summary>
    public bool IsWrite => Method is not ("GET" or "HEAD" or "OPTIONS" or "TRACE");
}
