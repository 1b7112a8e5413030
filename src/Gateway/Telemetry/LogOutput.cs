using System.Buffers;
using System.Collections.Concurrent;
using Serilog.Core;
using Serilog.Events;
using Serilog.Parsing;

namespace FenceGateway.Gateway.Telemetry;

/// <summary>
/// Standard output, written by one thread, as many lines at a time as wait. At the bound further lines are dropped, and
/// the next that gets through says how many: whoever does not read slows no request down, and does not keep the process
/// from ending either.
/// </summary>
internal sealed class LogOutput : ILogEventSink, IDisposable
{
    /// <summary>How many lines wait before further ones are dropped.</summary>
    public const int MaxLines = 20_000;

    /// <summary>How long the end of the process waits for lines to be read.</summary>
    private static readonly TimeSpan LastLines = TimeSpan.FromSeconds(2);

    private const int BytesAtOnce = 64 * 1024;
    private static readonly MessageTemplate DroppedTemplate = new MessageTemplateParser().Parse(
        "{count} lines of this log were dropped: standard output is not read as fast as they come");

    private readonly Stream _output;
    private readonly TimeProvider _time;
    private readonly BlockingCollection<ILogLine> _lines = new(MaxLines);
    private readonly Thread _thread;
    private long _dropped;

    /// <summary>Begins to write.</summary>
    /// <param name="output">Where to; closed by nobody.</param>
    /// <param name="time">Tells when something was dropped.</param>
    public LogOutput(Stream output, TimeProvider time)
    {
        (_output, _time) = (output, time);
        _thread = new Thread(Run) { IsBackground = true, Name = "log" };
        _thread.Start();
    }

    /// <summary>Lines that were dropped since the start.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    public void Write(ILogLine line)
    {
        try
        {
            if (!_lines.IsAddingCompleted && _lines.TryAdd(line))
            {
                return;
            }
        }
        catch (InvalidOperationException)
        {
            // Closed at this moment.
        }

        Interlocked.Increment(ref _dropped);
    }

    public void Emit(LogEvent logEvent) => Write(new EventLine(logEvent));

    /// <summary>Writes what waits, unless nobody reads it. The thread of a process that ends is left behind in its
    /// write.</summary>
    public void Dispose()
    {
        _lines.CompleteAdding();
        _thread.Join(LastLines);
    }

    private void Run()
    {
        var buffer = new ArrayBufferWriter<byte>(BytesAtOnce);
        var said = 0L;
        foreach (var first in _lines.GetConsumingEnumerable())
        {
            Append(first, buffer);
            var count = 1;
            for (; buffer.WrittenCount < BytesAtOnce && _lines.TryTake(out var line); count++)
            {
                Append(line, buffer);
            }

            var dropped = Dropped;
            if (dropped > said)
            {
                Append(new EventLine(Tell(dropped - said)), buffer);
            }

            var isWritten = TryWrite(buffer.WrittenSpan);
            buffer.ResetWrittenCount();
            if (isWritten)
            {
                said = dropped;
                continue;
            }

            // What was written of them may end within a line.
            Interlocked.Add(ref _dropped, count);
            buffer.Write("\n"u8);
        }
    }

    private static void Append(ILogLine line, ArrayBufferWriter<byte> buffer)
    {
        line.WriteTo(buffer);
        buffer.Write("\n"u8);
    }

    /// <summary>
    /// False: there is no reader any more, a disk is full, or the output was closed. It may be another time; and no log
    /// ends the process.
    /// </summary>
    private bool TryWrite(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _output.Write(bytes);
            _output.Flush();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>Event 1505, in the form of every other one.</summary>
    private LogEvent Tell(long count) => new(_time.GetUtcNow(), LogEventLevel.Warning, exception: null, DroppedTemplate,
    [
        new LogEventProperty("count", new ScalarValue(count)),
        new LogEventProperty("EventId", new StructureValue(
        [
            new LogEventProperty("Id", new ScalarValue(1505)),
            new LogEventProperty("Name", new ScalarValue("Dropped")),
        ])),
        new LogEventProperty("SourceContext", new ScalarValue(typeof(LogOutput).FullName)),
    ]);
}
