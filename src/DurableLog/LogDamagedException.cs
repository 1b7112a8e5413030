namespace FenceGateway.DurableLog;

/// <summary>
/// A log's files cannot be what it wrote. The message is a clause: the file, and what is wrong with it.
/// </summary>
internal sealed class LogDamagedException(string message) : Exception(message)
{
    /// <param name="path">The file.</param>
    /// <param name="offset">Where, in bytes from its begin.</param>
    /// <param name="what">What is wrong there.</param>
    public LogDamagedException(string path, long offset, string what)
        : this(string.Create(CultureInfo.InvariantCulture, $"{path}, offset {offset}: {what}"))
    {
    }

    public static LogDamagedException Missing(string path, string why) => new($"{path} is missing ({why})");
}
