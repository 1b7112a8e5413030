using System.ComponentModel.DataAnnotations;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>Settings of the embedded store (<c>FenceGateway:TokenStore:Embedded</c>).</summary>
public sealed class EmbeddedTokenStoreOptions
{
    /// <summary>
    /// The folder of the log and its snapshots, made when missing. One process at a time. Default <c>data/tokens</c>.
    /// </summary>
    [Required]
    public string Path { get; set; } = "data/tokens";

    /// <summary>
    /// Resources that may have a mark; a new one beyond that is refused, known ones go on. Marks are never evicted
    /// (R11). 1 … 500 million, default 10 million.
    /// </summary>
    [Range(1, 500_000_000)]
    public long MaxResources { get; set; } = 10_000_000;

    /// <summary>Log bytes since the last snapshot that call for the next one, unless that snapshot was larger.
    /// 64 KiB … 64 GiB, default 64 MiB.</summary>
    [Range(64L << 10, 64L << 30)]
    public long SnapshotThreshold { get; set; } = 64 << 20;

    /// <summary>A log file longer than this is followed by a new one. 64 KiB … 256 MiB, default 16 MiB.</summary>
    [Range(64 << 10, 256 << 20)]
    public int SegmentSize { get; set; } = 16 << 20;

    /// <summary>
    /// Bytes that may wait for the disk; at the bound raised marks are refused. 64 KiB … 256 MiB, default 8 MiB.
    /// </summary>
    [Range(64 << 10, 256 << 20)]
    public int MaxPendingBytes { get; set; } = 8 << 20;

    /// <summary>Bytes of a snapshot that are checked by one checksum. Set by tests only.</summary>
    internal int SnapshotBlock { get; set; } = 256 << 10;
}
