using System.Buffers.Binary;
using System.Security.Cryptography;

namespace FenceGateway.Idempotency;

/// <summary>Which key: the first 128 bits of SHA-256 over its scope and itself. The key as such is not kept.</summary>
public readonly record struct KeyHash(UInt128 Value)
{
    /// <summary>The key that a client has sent.</summary>
    /// <param name="route">The route's name.</param>
    /// <param name="tenant">Whose key it is; null where requests name no tenant.</param>
    /// <param name="key">What the client has chosen.</param>
    public static KeyHash Of(string route, string? tenant, string key)
    {
        using var hash = new PartsHash();
        hash.Add(route);
        hash.Add(tenant);
        hash.Add(key);
        return new KeyHash(hash.Finish());
    }
}

/// <summary>Which request: the first 128 bits of SHA-256 over what makes a repeat of it the same request.</summary>
public readonly record struct RequestFingerprint(UInt128 Value)
{
    /// <summary>The fingerprint of a request.</summary>
    /// <param name="parts">Its method, its target and what else tells it from another.</param>
    /// <param name="body">Its body.</param>
    public static RequestFingerprint Of(ReadOnlySpan<string?> parts, ReadOnlySpan<byte> body)
    {
        using var hash = new PartsHash();
        foreach (var part in parts)
        {
            hash.Add(part);
        }

        hash.Add(body);
        return new RequestFingerprint(hash.Finish());
    }
}

/// <summary>SHA-256 over parts, each with its length before it, so that no two lists of parts look alike.</summary>
internal readonly ref struct PartsHash : IDisposable
{
    private const int Absent = -1;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public PartsHash()
    {
    }

    public void Add(string? part)
    {
        if (part is null)
        {
            AddLength(Absent);
            return;
        }

        Add(Encoding.UTF8.GetBytes(part));
    }

    public void Add(ReadOnlySpan<byte> part)
    {
        AddLength(part.Length);
        _hash.AppendData(part);
    }

    public UInt128 Finish()
    {
        Span<byte> all = stackalloc byte[SHA256.HashSizeInBytes];
        _hash.GetHashAndReset(all);
        return BinaryPrimitives.ReadUInt128BigEndian(all);
    }

    public void Dispose() => _hash.Dispose();

    private void AddLength(int length)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, length);
        _hash.AppendData(bytes);
    }
}
