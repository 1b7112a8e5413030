namespace FenceGateway.DurableLog;

/// <summary>A log was written by a version of the gateway that has another format.</summary>
internal sealed class LogFormatException(string path, uint version, uint known) : Exception(
    $"{path} was written in format {version} and this version reads format {known}: run the version that wrote it, or "
    + "restore a backup that was taken before.");
