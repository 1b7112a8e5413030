namespace FenceGateway.DurableLog;

/// <summary>Another process has the folder. The message is a sentence for an operator.</summary>
internal sealed class FolderInUseException(string message, Exception cause) : IOException(message, cause);
