using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>What Redis and its client throw, as sentences for an operator, and whether the step was certainly not taken.</summary>
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
        ("NOAUTH", "wants a password: give one in the configuration string"),
        ("WRONGPASS", "does not take the user or the password of the configuration string"),
        ("NOPERM", "does not give its user the rights that docs/stores.md lists"),
        ("CROSSSLOT", "takes the keys for those of several slots: a proxy in between ignores the hash tag"),
        ("CLUSTERDOWN", "belongs to a cluster that is down"),
        ("TRYAGAIN", "is moving the slot of the keys to another node"),
        ("MOVED", "has moved the slot of the keys to another node"),
        ("MASTERDOWN", "is a replica without a master"),
        ("NOREPLICAS", "has fewer replicas than min-replicas-to-write asks for and refuses writes"),
    ];

    public static TokenStoreUnavailableException Map(Exception exception, string location) => exception switch
    {
        TokenStoreUnavailableException known => known,
        RedisServerException refused => Refused(refused, location),
        RedisConnectionException lost => Lost(lost, location),
        // The client's own refusal: nothing was sent.
        RedisCommandException refused => new($"Redis {location} cannot be used: {refused.Message}", refused) { NotTaken = true },
        _ => new($"Redis {location} could not be asked: {exception.Message}", exception),
    };

    /// <summary>Why a client is without any connection, as far as the log of its connecting tells.</summary>
    public static TokenStoreUnavailableException NotConnected(string location, string told)
    {
        string[] codes = ["NOAUTH", "WRONGPASS", nameof(ConnectionFailureType.AuthenticationFailure)];
        if (codes.Any(code => told.Contains(code, StringComparison.Ordinal)))
        {
            return new($"Redis {location} wants a password: the configuration string has none, or a wrong one.") { NotTaken = true };
        }

        const string Mark = "faulted: ";
        var at = told.LastIndexOf(Mark, StringComparison.Ordinal);
        var reason = at < 0 ? "" : $" ({told[(at + Mark.Length)..].Split(' ', 2)[0]})";
        return new($"Redis {location} cannot be reached{reason}.") { NotTaken = true };
    }

    public static bool IsUnknownScript(RedisServerException exception) =>
        exception.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal);

    private static TokenStoreUnavailableException Refused(RedisServerException exception, string location)
    {
        var message = exception.Message;
        foreach (var (code, meaning) in Refusals)
        {
            // Before Redis 7 a script's error stands inside of another: "ERR Error running script …: @user_script:3: -OOM command …".
            if (message.StartsWith(code, StringComparison.Ordinal) || message.Contains($": -{code} ", StringComparison.Ordinal))
            {
                return new($"Redis {location} {meaning} ({message}).", exception) { NotTaken = true };
            }
        }

        return message.Contains("The user executing the script can't", StringComparison.Ordinal)
            ? new($"Redis {location} does not give its user the rights that docs/stores.md lists ({message}).", exception)
            : new($"Redis {location} answered with an error: {message}", exception);
    }

    private static TokenStoreUnavailableException Lost(RedisConnectionException exception, string location)
    {
        // No connection to send it on, as opposed to one that broke with the command on its way.
        return exception.FailureType is ConnectionFailureType.UnableToResolvePhysicalConnection or ConnectionFailureType.UnableToConnect
            or ConnectionFailureType.AuthenticationFailure
            ? new($"Redis {location} cannot be reached.", exception) { NotTaken = true }
            : new($"The connection to Redis {location} was lost ({exception.FailureType}).", exception);
    }
}
