using System.Security.Cryptography;

namespace FenceGateway.TokenStore.Redis;

/// <summary>A Lua script: what Redis runs as one atomic step.</summary>
internal sealed class RedisScript(string text)
{
    public string Text { get; } = text;

    /// <summary>What the server knows the script by once it has seen it.</summary>
#pragma warning disable CA5350 // Redis names scripts by their SHA-1; nothing is protected by it.
    public byte[] Hash { get; } = SHA1.HashData(Encoding.UTF8.GetBytes(text));
#pragma warning restore CA5350
}
