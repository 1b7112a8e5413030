namespace FenceGateway.Idempotency;

/// <summary>
/// The store cannot promise what it was asked for: full, damaged, its disk failing. The message is a sentence for an
/// operator.
/// </summary>
public sealed class IdempotencyStoreUnavailableException : Exception
{
    /// <summary>The store cannot promise it.</summary>
    public IdempotencyStoreUnavailableException()
    {
    }

    /// <summary>The store cannot promise it, for the reason given.</summary>
    public IdempotencyStoreUnavailableException(string message)
        : base(message)
    {
    }

    /// <summary>
    /// The store cannot promise it, for the reason given, caused by <paramref name="innerException"/>.
    /// </summary>
    public IdempotencyStoreUnavailableException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
