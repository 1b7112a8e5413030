namespace FenceGateway.TokenStore.Embedded;

/// <summary>Keys as the table and the log keep them: strict UTF-8.</summary>
internal static class KeyText
{
    public const int MaxBytes = ResourceKey.MaxBytes;

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Randomised per process, so that nobody can choose keys that collide.</summary>
    public static uint Hash(ReadOnlySpan<char> key) => (uint)string.GetHashCode(key, StringComparison.Ordinal);

    /// <summary>Encodes a key.</summary>
    /// <exception cref="ArgumentException">Half a surrogate pair: two such keys would have the same bytes.</exception>
    public static int Encode(ReadOnlySpan<char> key, Span<byte> buffer) => Utf8.GetBytes(key, buffer);

    public static int Decode(ReadOnlySpan<byte> key, Span<char> buffer) => Utf8.GetChars(key, buffer);

    public static ResourceKey ToKey(ReadOnlySpan<byte> key) =>
        ResourceKey.TryCreate(Utf8.GetString(key), out var resource)
            ? resource
            : throw new InvalidOperationException("A stored key is not a resource key.");
}
