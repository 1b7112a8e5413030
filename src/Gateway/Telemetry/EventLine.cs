using System.Buffers;
using System.Text;
using Serilog.Events;

namespace FenceGateway.Gateway.Telemetry;

/// <summary>An event of Serilog's as a line.</summary>
internal sealed class EventLine(LogEvent logEvent) : ILogLine
{
    private static readonly JsonLineFormatter Formatter = new();

    public void WriteTo(IBufferWriter<byte> output)
    {
        using var text = new StringWriter();
        Formatter.Format(logEvent, text);
        Encoding.UTF8.GetBytes(text.ToString().AsSpan().TrimEnd("\r\n"), output);
    }
}
