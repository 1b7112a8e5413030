using System.ComponentModel.DataAnnotations;

namespace FenceGateway.Idempotency;

/// <summary>Settings of the embedded idempotency store.</summary>
public sealed class EmbeddedIdempotencyStoreOptions
{
    /// <summary>The folder, made when missing. One process at a time. Default <c>data/idempotency</c>.</summary>
    [Required]
    public string Path { get; set; } = "data/idempotency";

    /// <summary>
    /// Keys that are remembered; at the bound new ones are refused. 1 … 10 million, default 1 million.
    /// </summary>
    [Range(1, 10_000_000)]
    public int MaxEntries { get; set; } = 1_000_000;

    /// <summary>
    /// Bytes of files at which new keys are refused; answers under way may go beyond it. Default 1 GiB.
    /// </summary>
    [Range(1L << 20, 1L << 40)]
    public long MaxBytes { get; set; } = 1L << 30;

    /// <summary>A file longer than this is followed by a new one. Set by tests only.</summary>
    internal int SegmentSize { get; set; } = 16 << 20;

    /// <summary>Bytes that may wait for the disk. Set by tests only.</summary>
    internal int MaxPendingBytes { get; set; } = 128 << 20;
}
