namespace FenceGateway.TokenStore.Etcd;

/// <summary>etcd answered with an error, or not at all.</summary>
/// <param name="message">A sentence for an operator.</param>
/// <param name="code">The gRPC status code; 0 when there was no answer.</param>
/// <param name="notTaken">Whether the call certainly had no effect.</param>
/// <param name="inner">What caused it.</param>
internal sealed class EtcdException(string message, int code, bool notTaken, Exception? inner = null) : Exception(message, inner)
{
    public const int NotFound = 5;
    private const int InvalidArgument = 3;
    private const int PermissionDenied = 7;
    private const int ResourceExhausted = 8;
    private const int FailedPrecondition = 9;
    private const int OutOfRange = 11;
    private const int Unauthenticated = 16;

    public int Code => code;

    public bool NotTaken => notTaken;

    /// <summary>What etcd refuses with one of these codes was refused before it was proposed. The others, "unavailable" above all,
    /// also stand for a proposal that was made and whose fate is unknown.</summary>
    public static bool IsRefusal(int code) =>
        code is InvalidArgument or NotFound or PermissionDenied or ResourceExhausted or FailedPrecondition or OutOfRange or Unauthenticated;

    /// <summary>The token of a user is unknown to this member (it restarted, or the token is too old), or users were changed.</summary>
    public static bool IsTokenGone(int code, string message) =>
        code == Unauthenticated
        || (code == InvalidArgument && (message.Contains("auth store is old", StringComparison.Ordinal)
            || message.Contains("user name is empty", StringComparison.Ordinal)));

    /// <summary>As the contract wants it thrown.</summary>
    public TokenStoreUnavailableException ToUnavailable() => new(Message, this) { NotTaken = NotTaken };
}
