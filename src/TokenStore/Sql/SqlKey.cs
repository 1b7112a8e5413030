namespace FenceGateway.TokenStore.Sql;

/// <summary>Resource keys as SQL stores keep them: UTF-8 in a binary column, so that no collation has a say.</summary>
internal static class SqlKey
{
    private static readonly UTF8Encoding Strict = new(
        encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>As the databases order keys: by their bytes.</summary>
    public static Comparer<byte[]> Order { get; } = Comparer<byte[]>.Create(
        static (one, other) => one.AsSpan().SequenceCompareTo(other));

    public static byte[] Encode(ResourceKey key) => Strict.GetBytes(key.Value);

    public static bool TryDecode(byte[] key, out ResourceKey resource)
    {
        try
        {
            return ResourceKey.TryCreate(Strict.GetString(key), out resource);
        }
        catch (DecoderFallbackException)
        {
            resource = default;
            return false;
        }
    }

    /// <exception cref="TokenStoreUnavailableException">Somebody else has written there.</exception>
    public static ResourceKey Decode(byte[] key) => TryDecode(key, out var resource)
        ? resource
        : throw new TokenStoreUnavailableException("The token store's tables hold a key that is none.");

    /// <summary>
    /// The keys that begin with <paramref name="prefix"/>: not below the first value, below the second; null: no bound.
    /// </summary>
    public static (byte[] From, byte[]? Until) Range(string prefix)
    {
        var from = Strict.GetBytes(prefix);
        if (from.Length == 0)
        {
            return (from, null);
        }

        // No byte of UTF-8 is 0xff.
        var until = (byte[])from.Clone();
        until[^1]++;
        return (from, until);
    }
}
