using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>
/// What Redis and its client throw, as sentences for an operator, and whether the step was certainly not taken.
/// </summary>
internal static class RedisErrors
{
    /// <summary>
    /// Codes that refuse a command, or a script at its first write, before anything was changed; with what they mean.
    /// </summary>
    private static readonly (string Code, string Meaning)[] Refusals =
    [
        ("READONLY", "is a read-only replica and not the master: give the master's address"),
        ("OOM", "has reached maxmemory and refuses writes: give it more memory"),
        ("MISCONF", "cannot write its data to disk and refuses writes: look at its log"),
        ("LOADING", "is still reading its data from disk"),
        ("BUSY", "is busy with another script"),
        ("NOAUTH", "wants a password: give one as Password or PasswordFile"),
        ("WRONGPASS", "does not take the user or the password that it is given"),
        ("NOPERM", "does not give its user the rights that docs/stores.md lists"),
        ("CROSSSLOT", "takes the keys for those of several slots: a proxy in between ignores the hash tag"),
        ("CLUSTERDOWN", "belongs to a cluster that is down"),
        ("TRYAGAIN", "is moving the slot of the keys to another node"),
        ("MASTERDOWN", "is a replica without a master"),
        ("NOREPLICAS", "has fewer replicas than min-replicas-to-write asks for and refuses writes"),
    ];

    public static TokenStoreUnavailableException Map(Exception exception, string location) => exception switch
    {
        TokenStoreUnavailableException known => known,
        RedisServerException refused => Refused(refused, location),
        RedisConnectionException lost => Lost(lost, location),
        // The client's own refusal: nothing was sent.
        RedisCommandException refused =>
            TokenStoreUnavailableException.NothingTaken($"Redis {location} cannot be used: {refused.Message}", refused),
        _ => new($"Redis {location} could not be asked: {exception.Message}", exception),
    };

    /// <summary>Why a client is without any connection, as far as the log of its connecting tells.</summary>
    public static TokenStoreUnavailableException NotConnected(string location, string told)
    {
        string[] codes = ["NOAUTH", "WRONGPASS", nameof(ConnectionFailureType.AuthenticationFailure)];
        if (codes.Any(code => told.Contains(code, StringComparison.Ordinal)))
        {
            return TokenStoreUnavailableException.NothingTaken(
                $"Redis {location} wants a password: it is given none, or a wrong one.");
        }

        if (told.Contains("server-type: Sentinel", StringComparison.Ordinal))
        {
            return TokenStoreUnavailableException.NothingTaken(
                $"Redis {location} is a Sentinel: name its service with serviceName=.");
        }

        const string Mark = "faulted: ";
        var at = told.LastIndexOf(Mark, StringComparison.Ordinal);
        var reason = at < 0 ? "" : $" ({told[(at + Mark.Length)..].Split(' ', 2)[0]})";
        return TokenStoreUnavailableException.NothingTaken($"Redis {location} cannot be reached{reason}.");
    }

    private static TokenStoreUnavailableException Refused(RedisServerException exception, string location)
    {
        var message = exception.Message;
        if (exception.Kind is RedisErrorKind.Moved or RedisErrorKind.Ask or RedisErrorKind.UnknownRedirectTarget)
        {
            // The client followed once, and says this in words of its own.
            return TokenStoreUnavailableException.NothingTaken(
                $"Redis {location} has moved the slot of the keys to another node ({message.TrimEnd()}).", exception);
        }

        foreach (var (code, meaning) in Refusals)
        {
            // Before Redis 7 a script's error stands inside of another: "ERR Error running script …: @user_script:3:
            // -OOM command …".
            if (message.StartsWith(code, StringComparison.Ordinal)
                || message.Contains($": -{code} ", StringComparison.Ordinal))
            {
                return TokenStoreUnavailableException.NothingTaken(
                    $"Redis {location} {meaning} ({message}).", exception);
            }
        }

        return message.Contains("The user executing the script can't", StringComparison.Ordinal)
            ? new($"Redis {location} does not give its user the rights that docs/stores.md lists "
                + $"({message}).", exception)
            : new($"Redis {location} answered with an error: {message}", exception);
    }

    /// <summary>
    /// Whether the command was sent cannot be told from what the client calls its status: that changes after the bytes
    /// have gone. What never had a connection to go on is told by another failure.
    /// </summary>
    private static TokenStoreUnavailableException Lost(RedisConnectionException exception, string location) =>
        exception.FailureType switch
        {
            ConnectionFailureType.UnableToResolvePhysicalConnection =>
                TokenStoreUnavailableException.NothingTaken($"Redis {location} cannot be reached.", exception),
            // Of the connecting itself; with a command, that one may have been sent before its connection was given up.
            ConnectionFailureType.UnableToConnect or ConnectionFailureType.AuthenticationFailure
                when exception.CommandStatus == CommandStatus.Unknown =>
                TokenStoreUnavailableException.NothingTaken($"Redis {location} cannot be reached.", exception),
            _ => new($"The connection to Redis {location} was lost ({exception.FailureType}).", exception),
        };
}
