namespace FenceGateway.TokenStore;

/// <summary>
/// The store cannot tell: unreachable, refused, damaged, full. The message is a sentence for an operator.
/// </summary>
public sealed class TokenStoreUnavailableException : Exception
{
    /// <summary>Whether the step was certainly not taken. Default: it may or may not have been.</summary>
    public bool NotTaken { get; init; }

    /// <summary>Whether the step was refused because its session has ended; it was certainly not taken then.</summary>
    public bool SessionEnded { get; init; }

    /// <summary>A step was refused because its session has ended.</summary>
    public static TokenStoreUnavailableException ForEndedSession(string session) =>
        new($"The session {session} of this gateway has ended in the token "
            + "store.")
        { NotTaken = true, SessionEnded = true };

    /// <summary>The store cannot tell, and nothing was done.</summary>
    internal static TokenStoreUnavailableException NothingTaken(string message, Exception? innerException = null) =>
        new(message, innerException) { NotTaken = true };

    /// <summary>The same, of a step of which a part was sent before.</summary>
    internal TokenStoreUnavailableException AfterAPart() => new(Message, this) { SessionEnded = SessionEnded };

    /// <summary>The store cannot tell.</summary>
    public TokenStoreUnavailableException()
    {
    }

    /// <summary>The store cannot tell, for the reason given.</summary>
    public TokenStoreUnavailableException(string message)
        : base(message)
    {
    }

    /// <summary>The store cannot tell, for the reason given, caused by <paramref name="innerException"/>.</summary>
    public TokenStoreUnavailableException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
