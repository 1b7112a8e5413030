using System.Buffers;
using System.Text;
using System.Text.Json;
using FenceGateway.Gateway.Telemetry;
using FenceGateway.TestKit;
using Serilog.Events;
using Serilog.Parsing;

namespace FenceGateway.Gateway.Tests.Telemetry;

/// <summary>Standard output that is read, read late, never read, and gone.</summary>
public sealed class LogOutputTests : IDisposable
{
    private readonly Pipe _pipe = new();

    public void Dispose() => _pipe.Dispose();

    [Fact]
    public void Dispose_IsRead_EveryLineIsThereInItsOrder()
    {
        _pipe.Open.Set();
        var output = new LogOutput(_pipe, TimeProvider.System);
        for (var i = 0; i < 1000; i++)
        {
            output.Write(new Line(i));
        }

        output.Dispose();

        _pipe.Lines.ShouldBe(Enumerable.Range(0, 1000).Select(i => $$"""{"n":{{i}}}"""));
        output.Dropped.ShouldBe(0);
    }

    [Fact]
    public void Write_NotReadForAWhile_DropsBeyondTheBoundAndSaysHowMany()
    {
        var output = new LogOutput(_pipe, new ManualTimeProvider());
        output.Write(new Line(0));
        _pipe.Blocked.Wait(TimeLimit.Default).ShouldBeTrue();
        for (var i = 1; i <= LogOutput.MaxLines + 123; i++)
        {
            output.Write(new Line(i));
        }

        output.Dropped.ShouldBe(123);
        _pipe.Open.Set();
        output.Dispose();

        var line = _pipe.Lines.Single(l => l.Contains("messageTemplate", StringComparison.Ordinal));
        var told = JsonDocument.Parse(line).RootElement;
        told.GetProperty("count").GetInt64().ShouldBe(123);
        told.GetProperty("level").GetString().ShouldBe("Warning");
        told.GetProperty("eventId").GetProperty("Id").GetInt32().ShouldBe(1505);
        told.GetProperty("message").GetString().ShouldNotBeNull().ShouldStartWith("123 lines of this log were dropped");
        _pipe.Lines.Length.ShouldBe(LogOutput.MaxLines + 2);
    }

    [Fact]
    public void Dispose_NobodyEverReads_ReturnsAllTheSame()
    {
        var output = new LogOutput(_pipe, TimeProvider.System);
        output.Write(new Line(0));
        _pipe.Blocked.Wait(TimeLimit.Default).ShouldBeTrue();
        output.Write(new Line(1));

        output.Dispose();

        _pipe.Lines.ShouldBeEmpty();
        output.Write(new Line(2));
        output.Dropped.ShouldBe(1);
        _pipe.Open.Set();
    }

    [Fact]
    public void Write_ReaderIsGone_IsDroppedAndHarmsNobody()
    {
        _pipe.IsBroken = true;
        _pipe.Open.Set();
        var output = new LogOutput(_pipe, TimeProvider.System);
        output.Write(new Line(0));
        output.Dispose();

        output.Write(new Line(1));

        output.Dropped.ShouldBe(2);
    }

    [Fact]
    public async Task Write_DiskIsFullForAWhile_GoesOnAndSaysHowManyAreMissing()
    {
        _pipe.IsBroken = true;
        _pipe.Open.Set();
        var output = new LogOutput(_pipe, TimeProvider.System);
        output.Write(new Line(0));
        await Task.Run(() => SpinWait.SpinUntil(() => output.Dropped == 1)).WithinLimit("the line to be dropped");

        _pipe.IsBroken = false;
        output.Write(new Line(1));
        output.Dispose();

        _pipe.Lines[0].ShouldBe("""{"n":1}""");
        JsonDocument.Parse(_pipe.Lines[1]).RootElement.GetProperty("count").GetInt64().ShouldBe(1);
    }

    [Fact]
    public void Emit_Event_IsOneLineWithItsFields()
    {
        _pipe.Open.Set();
        var output = new LogOutput(_pipe, TimeProvider.System);
        output.Emit(new LogEvent(
            DateTimeOffset.UnixEpoch, LogEventLevel.Error, new InvalidOperationException("on\ntwo lines"),
            new MessageTemplateParser().Parse("about {what}"),
            [new LogEventProperty("what", new ScalarValue("ü \"\n"))]));
        output.Dispose();

        var line = JsonDocument.Parse(_pipe.Lines.ShouldHaveSingleItem()).RootElement;
        line.GetProperty("what").GetString().ShouldBe("ü \"\n");
        line.GetProperty("message").GetString().ShouldBe("about ü \"\n");
        line.GetProperty("exception").GetString().ShouldNotBeNull().ShouldContain("two lines");
    }

    private sealed class Line(int number) : ILogLine
    {
        public void WriteTo(IBufferWriter<byte> output) => Encoding.UTF8.GetBytes($$"""{"n":{{number}}}""", output);
    }

    /// <summary>A pipe that takes nothing until it is open.</summary>
    private sealed class Pipe : MemoryStream
    {
        public ManualResetEventSlim Open { get; } = new();

        /// <summary>Somebody waits to write.</summary>
        public ManualResetEventSlim Blocked { get; } = new();

        public volatile bool IsBroken;

        public string[] Lines => Encoding.UTF8.GetString(ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Blocked.Set();
            Open.Wait();
            if (IsBroken)
            {
                throw new IOException("Broken pipe");
            }

            base.Write(buffer);
        }
    }
}
