using System.Buffers;

namespace FenceGateway.Gateway.Telemetry;

/// <summary>What becomes one line on standard output, written by the thread that writes them.</summary>
internal interface ILogLine
{
    /// <summary>Writes one JSON object, without the end of the line.</summary>
    void WriteTo(IBufferWriter<byte> output);
}
