using FenceGateway.DurableLog;

namespace FenceGateway.TokenStore.Embedded;

/// <summary>The kinds of files that the store has.</summary>
internal static class MarkFile
{
    public const ulong Segment = 0x474F_4C4B_4F54_4746; // "FGTOKLOG"
    public const ulong Snapshot = 0x504E_534B_4F54_4746; // "FGTOKSNP"

    /// <summary>Where the first frame stands.</summary>
    public const int HeaderSize = LogFileHeader.SizeWithLog;
}
