using System.Text;
using FenceGateway.Fencing;

namespace FenceGateway.TokenStore.Sql;

/// <summary>Resource keys as SQL stores keep them: UTF-8 in a binary column, so that no collation has a say.</summary>
internal static class SqlKey
{
    public static byte[] Encode(ResourceKey key) => Encoding.UTF8.GetBytes(key.Value);

    /// <exception cref="TokenStoreUnavailableException">Somebody else has written there.</exception>
    public static ResourceKey Decode(byte[] key) => ResourceKey.TryCreate(Encoding.UTF8.GetString(key), out var resource)
        ? resource
        : throw new TokenStoreUnavailableException("The token store's tables hold a key that is none.");

    /// <summary>The keys that begin with <paramref name="prefix"/>: not below the first value, below the second; null: no bound.</summary>
    public static (byte[] From, byte[]? Until) Range(string prefix)
    {
        var from = Encoding.UTF8.GetBytes(prefix);
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
