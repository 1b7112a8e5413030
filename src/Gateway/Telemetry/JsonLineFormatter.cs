using System.Collections.Frozen;
using System.Globalization;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;
using Serilog.Formatting.Json;

namespace FenceGateway.Gateway.Telemetry;

/// <summary>
/// One JSON object a line: timestamp, level, message, messageTemplate, then the event's properties at the top level.
/// </summary>
internal sealed class JsonLineFormatter : ITextFormatter
{
    /// <summary>
    /// Names that this formatter writes itself. An event's own property of such a name gets an underscore behind it.
    /// </summary>
    private static readonly FrozenSet<string> OwnNames = FrozenSet.Create(
        StringComparer.Ordinal, "timestamp", "level", "message", "messageTemplate", "traceId", "spanId", "exception",
        "logger");

    /// <summary>What ASP.NET Core adds to each event of a request and the gateway's own fields say already.</summary>
    private static readonly FrozenSet<string> Repeated = FrozenSet.Create(
        StringComparer.Ordinal, "RequestId", "RequestPath", "ConnectionId", "TraceId", "SpanId", "ParentId");

    private static readonly JsonValueFormatter Values = new(typeTagName: null);

    /// <summary>Renders the message with values as they are, without quotes.</summary>
    private static readonly MessageTemplateTextFormatter Message = new("{Message:l}", CultureInfo.InvariantCulture);

    public void Format(LogEvent logEvent, TextWriter output)
    {
        output.Write("{\"timestamp\":\"");
        output.Write(logEvent.Timestamp.UtcDateTime.ToString("O"));
        output.Write("\",\"level\":\"");
        output.Write(logEvent.Level.ToString());
        output.Write("\",\"message\":");
        JsonValueFormatter.WriteQuotedJsonString(Render(logEvent), output);
        output.Write(",\"messageTemplate\":");
        JsonValueFormatter.WriteQuotedJsonString(logEvent.MessageTemplate.Text, output);
        if (logEvent.TraceId is { } trace)
        {
            Write(output, "traceId", trace.ToHexString());
            Write(output, "spanId", logEvent.SpanId?.ToHexString() ?? "");
        }

        if (logEvent.Exception is { } exception)
        {
            Write(output, "exception", exception.ToString());
        }

        foreach (var (name, value) in logEvent.Properties)
        {
            if (Repeated.Contains(name))
            {
                continue;
            }

            output.Write(',');
            JsonValueFormatter.WriteQuotedJsonString(NameOf(name), output);
            output.Write(':');
            Values.Format(value, output);
        }

        output.WriteLine('}');
    }

    /// <summary>Fields are camelCase, also those of others.</summary>
    private static string NameOf(string property)
    {
        if (property == "SourceContext")
        {
            return "logger";
        }

        var name = char.ToLowerInvariant(property[0]) + property[1..];
        return OwnNames.Contains(name) ? name + "_" : name;
    }

    private static string Render(LogEvent logEvent)
    {
        using var text = new StringWriter();
        Message.Format(logEvent, text);
        return text.ToString();
    }

    private static void Write(TextWriter output, string name, string value)
    {
        output.Write(',');
        JsonValueFormatter.WriteQuotedJsonString(name, output);
        output.Write(':');
        JsonValueFormatter.WriteQuotedJsonString(value, output);
    }
}
