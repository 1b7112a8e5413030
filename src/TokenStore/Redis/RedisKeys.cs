using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>
/// The names of everything that a store keeps in Redis. All carry the hash tag <c>{prefix}</c>, so that in a cluster
/// they share one slot and a script can use them together.
/// </summary>
internal sealed class RedisKeys(string prefix)
{
    private readonly string _resource = $"{{{prefix}}}:r:";
    private readonly string _channel = $"{{{prefix}}}:changed:";

    /// <summary>
    /// Hash: session → <c>ends:time to live</c>, both in ms; when it ends or ended is of 13 digits, of the server's
    /// clock. One that is missing has ended long ago or vouched for its silence.
    /// </summary>
    public RedisKey Sessions { get; } = $"{{{prefix}}}:sessions";

    /// <summary>Sorted set: session → when it was started, in ms; to forget sessions by.</summary>
    public RedisKey Started { get; } = $"{{{prefix}}}:started";

    /// <summary>
    /// Sorted set of <c>session LF resource</c>, all with score 0: where a session is registered below the mark.
    /// </summary>
    public RedisKey Revoked { get; } = $"{{{prefix}}}:revoked";

    /// <summary>Sorted set: resource → the sequence of its mark's latest change.</summary>
    public RedisKey Index { get; } = $"{{{prefix}}}:index";

    /// <summary>Counts the changes of marks.</summary>
    public RedisKey Sequence { get; } = $"{{{prefix}}}:sequence";

    /// <summary>A random name, written when the store was empty: another one means that everything was lost.</summary>
    public RedisKey Epoch { get; } = $"{{{prefix}}}:epoch";

    /// <summary>List of operators' changes, newest first, as JSON; bounded.</summary>
    public RedisKey Audit { get; } = $"{{{prefix}}}:audit";

    /// <summary>
    /// The channel that changes are told on: <c>mark blank resource</c>. Channels are the server's, not the database's:
    /// without the number a fleet would hear the marks of another one, and take them for its own.
    /// </summary>
    public RedisValue ChannelIn(int database) => string.Create(CultureInfo.InvariantCulture, $"{_channel}{database}");

    /// <summary>
    /// Hash of a resource: <c>mark</c> → <c>mark:sequence:seconds:microseconds</c> of its latest change, and for each
    /// writer <c>w:session</c> → <c>token:sequence of the step</c>. Tokens and sequences of steps have 19 digits.
    /// </summary>
    public RedisKey Resource(ResourceKey resource) => _resource + resource.Value;

    /// <summary>
    /// A number as 19 digits: the numbers of Lua are exact to 2^53 only, such strings compare as the numbers do.
    /// </summary>
    public static RedisValue Digits(long number) => number.ToString("D19", CultureInfo.InvariantCulture);

    /// <summary>Reads what <see cref="Digits"/> wrote.</summary>
    public static long Number(ReadOnlySpan<char> digits) =>
        long.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture);

    /// <summary>Reads "mark name", with a + before it when nothing but the mark has changed.</summary>
    public static bool TryReadChange(string? message, out ResourceChange change)
    {
        change = default;
        var blank = message?.IndexOf(' ', StringComparison.Ordinal) ?? -1;
        if (blank <= 0 || !ResourceKey.TryCreate(message![(blank + 1)..], out var resource))
        {
            return false;
        }

        var risen = message[0] == '+';
        change = new ResourceChange(resource, Number(message.AsSpan(risen ? 1 : 0, risen ? blank - 1 : blank)), risen);
        return true;
    }
}
