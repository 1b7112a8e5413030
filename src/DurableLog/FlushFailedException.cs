namespace FenceGateway.DurableLog;

/// <summary>
/// A flush to disk failed, which is final: the kernel may have dropped the pages and report the next flush as a success
/// (docs/adr/0001-embedded-log.md). A failed write, in contrast, can be cut off and tried again.
/// </summary>
internal sealed class FlushFailedException(string message, Exception inner) : IOException(message, inner);
