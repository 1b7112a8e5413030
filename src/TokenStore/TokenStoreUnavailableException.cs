namespace FenceGateway.TokenStore;

/// <summary>The store cannot tell: unreachable, refused, damaged, full. The message is a sentence for an operator.</summary>
public sealed class TokenStoreUnavailableException : Exception
{
    /// <summary>Whether the step was certainly not taken. Default: it may or may not have been.</summary>
    public bool NotTaken { get; init; }

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
