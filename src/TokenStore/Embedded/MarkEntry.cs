using System.Runtime.InteropServices;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>What memory and log keep of a mark besides its number.</summary>
[Flags]
internal enum MarkFlags : byte
{
    None = 0,

    /// <summary>Older writes may have been in flight when the mark was set. Persistent: whoever recovers such a mark
    /// cannot admit even the mark's own token at once.</summary>
    Contended = 1,

    /// <summary>Read back from disk at this start. In memory only.</summary>
    Recovered = 2,
}

/// <summary>One resource in memory: 40 bytes, no references.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MarkEntry
{
    /// <summary>The latest mark, durable or not.</summary>
    public long Mark;

    /// <summary>The log sequence number of its last change; durable when the log is durable up to there.</summary>
    public long Lsn;

    /// <summary>Unix milliseconds of its last change, for people only.</summary>
    public long ChangedAt;

    public uint Hash;
    public uint KeyAt;
    public ushort KeyLength;
    public MarkFlags Flags;
}
