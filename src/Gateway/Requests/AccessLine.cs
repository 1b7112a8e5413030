using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using FenceGateway.Gateway.Telemetry;

namespace FenceGateway.Gateway.Requests;

/// <summary>
/// What is logged of one request: the values as they were at its end. Made into text by the log's thread, with the
/// fields that an event of Serilog's would have (docs/operations.md).
/// </summary>
internal sealed class AccessLine : ILogLine
{
    private const string Template =
        "{method} {path} on route {route} answered {status} in {latencyMs} ms; "
        + "correlation {correlationId}, tenant {tenantId}";

    private const string FencedTemplate =
        "{method} {path} on route {route} answered {status} in {latencyMs} ms, "
        + "{outcome} at {resource} with token {token}; correlation {correlationId}, tenant {tenantId}";

    private static readonly JsonWriterOptions WriterOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    public required DateTime Timestamp { get; init; }

    public required string Level { get; init; }

    public required string Method { get; init; }

    public required string? Path { get; init; }

    public required string? Route { get; init; }

    public required int Status { get; init; }

    public required double LatencyMs { get; init; }

    public required string CorrelationId { get; init; }

    public required string? TenantId { get; init; }

    public required ActivityTraceId? TraceId { get; init; }

    public required ActivitySpanId? SpanId { get; init; }

    /// <summary>What the fence said, or the gateway's own answer; null when the service's answer simply went
    /// through.</summary>
    public required string? Outcome { get; init; }

    public required string? Resource { get; init; }

    public required long? Token { get; init; }

    public void WriteTo(IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output, WriterOptions);
        json.WriteStartObject();
        json.WriteString("timestamp", Timestamp.ToString("O", CultureInfo.InvariantCulture));
        json.WriteString("level", Level);
        json.WriteString("message", Message());
        json.WriteString("messageTemplate", Outcome is null ? Template : FencedTemplate);
        if (TraceId is { } trace)
        {
            json.WriteString("traceId", trace.ToHexString());
            json.WriteString("spanId", SpanId?.ToHexString());
        }

        WriteRequest(json);
        json.WriteString("correlationId", CorrelationId);
        json.WriteString("tenantId", TenantId);
        json.WriteStartObject("eventId");
        json.WriteNumber("Id", Outcome is null ? 1501 : 1502);
        json.WriteString("Name", Outcome is null ? "Answered" : "AnsweredFenced");
        json.WriteEndObject();
        json.WriteString("logger", typeof(RequestMiddleware).FullName);
        json.WriteEndObject();
    }

    private void WriteRequest(Utf8JsonWriter json)
    {
        json.WriteString("method", Method);
        json.WriteString("path", Path);
        json.WriteString("route", Route);
        json.WriteNumber("status", Status);
        json.WriteNumber("latencyMs", LatencyMs);
        if (Outcome is null)
        {
            return;
        }

        json.WriteString("outcome", Outcome);
        json.WriteString("resource", Resource);
        if (Token is { } token)
        {
            json.WriteNumber("token", token);
        }
        else
        {
            json.WriteNull("token");
        }
    }

    private string Message()
    {
        const string None = "null";
        var token = Token?.ToString(CultureInfo.InvariantCulture) ?? None;
        var fence = Outcome is null ? "" : $", {Outcome} at {Resource ?? None} with token {token}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Method} {Path ?? None} on route {Route ?? None} answered {Status} in {LatencyMs} ms{fence}; "
            + $"correlation {CorrelationId}, tenant {TenantId ?? None}");
    }
}
