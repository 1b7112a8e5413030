using System.Net.Sockets;

namespace FenceGateway.Gateway.Forwarding;

internal static partial class ForwardingLog
{
    [LoggerMessage(1681, LogLevel.Error,
        "The gateway cannot open a connection to {host}: {error}. That is a want of its own (file descriptors, local "
        + "ports or addresses, memory of the kernel) and counts against no service. "
        + "Further ones go without a line for {quiet}")]
    public static partial void Shortage(this ILogger logger, string host, SocketError error, TimeSpan quiet);
}
