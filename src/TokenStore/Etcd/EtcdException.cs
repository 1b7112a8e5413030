using Grpc.Core;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>etcd answered with an error, or not at all.</summary>
/// <param name="message">A sentence for an operator.</param>
/// <param name="notTaken">Whether the call certainly had no effect.</param>
/// <param name="code">What etcd answered with; null when it was not etcd that answered, or nobody.</param>
/// <param name="inner">What caused it.</param>
internal sealed class EtcdException(string message, bool notTaken, StatusCode? code = null, Exception? inner = null)
    : Exception(message, inner)
{
    public StatusCode? Code => code;

    public bool NotTaken => notTaken;

    /// <summary>Nothing left this process: another member may be asked.</summary>
    public bool IsNotSent => notTaken && code is null;

    /// <summary>
    /// The token of a user is unknown to this member (it restarted, or the token is too old), or users were changed.
    /// </summary>
    public bool IsTokenGone => code == StatusCode.Unauthenticated
        || (code == StatusCode.InvalidArgument && (Message.Contains("auth store is old", StringComparison.Ordinal)
            || Message.Contains("user name is empty", StringComparison.Ordinal)));

    /// <summary>
    /// What etcd refuses with one of these codes was refused before it was proposed. The others, "unavailable" above
    /// all, also stand for a proposal that was made and whose fate is unknown.
    /// </summary>
    public static bool IsRefusal(StatusCode? code) =>
        code is StatusCode.InvalidArgument or StatusCode.NotFound or StatusCode.PermissionDenied
        or StatusCode.ResourceExhausted or StatusCode.FailedPrecondition or StatusCode.OutOfRange
        or StatusCode.Unauthenticated;

    /// <summary>As the contract wants it thrown.</summary>
    public TokenStoreUnavailableException ToUnavailable() => new(Message, this) { NotTaken = NotTaken };
}
