using System.Buffers;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Tests.Requests;

/// <summary>The line of a request has the fields, and the text, that it always had.</summary>
public sealed class AccessLineTests
{
    [Fact]
    public void WriteTo_ServicesAnswer_HasEveryField()
    {
        var line = Write(Line());

        line.EnumerateObject().Select(p => p.Name).ShouldBe(
        [
            "timestamp", "level", "message", "messageTemplate", "traceId", "spanId", "method", "path", "route",
            "status", "latencyMs", "correlationId", "tenantId", "eventId", "logger",
        ]);
        line.GetProperty("timestamp").GetString().ShouldBe("2026-01-02T03:04:05.0000000Z");
        line.GetProperty("message").GetString().ShouldBe(
            "PUT /orders/1 on route orders answered 200 in 1.25 ms; correlation c-1, tenant t-1");
        line.GetProperty("latencyMs").GetDouble().ShouldBe(1.25);
        line.GetProperty("status").GetInt32().ShouldBe(200);
        line.GetProperty("eventId").GetProperty("Id").GetInt32().ShouldBe(1501);
        line.GetProperty("logger").GetString().ShouldBe("FenceGateway.Gateway.Requests.RequestMiddleware");
    }

    [Fact]
    public void WriteTo_FencesSay_HasOutcomeResourceAndToken()
    {
        var line = Write(Line(outcome: "stale", resource: "orders/1", token: 33));

        line.GetProperty("outcome").GetString().ShouldBe("stale");
        line.GetProperty("resource").GetString().ShouldBe("orders/1");
        line.GetProperty("token").GetInt64().ShouldBe(33);
        line.GetProperty("message").GetString().ShouldBe(
            "PUT /orders/1 on route orders answered 200 in 1.25 ms, stale at orders/1 with token 33; "
            + "correlation c-1, tenant t-1");
        line.GetProperty("eventId").GetProperty("Id").GetInt32().ShouldBe(1502);
    }

    [Fact]
    public void WriteTo_NothingKnown_SaysNull()
    {
        var line = Write(Line(path: null, route: null, tenant: null, outcome: "not_found", isTraced: false));

        foreach (var name in (string[])["path", "route", "tenantId", "resource", "token"])
        {
            line.GetProperty(name).ValueKind.ShouldBe(JsonValueKind.Null, name);
        }

        line.TryGetProperty("traceId", out _).ShouldBeFalse();
        line.GetProperty("message").GetString().ShouldBe(
            "PUT null on route null answered 200 in 1.25 ms, not_found at null with token null; "
            + "correlation c-1, tenant null");
    }

    [Theory]
    [InlineData("/a\"b\\c")]
    [InlineData("/line\r\nbreak\u0000")]
    [InlineData("/ü/\U0001F512/\u2028")]
    [InlineData("/{path}/{{0}}")]
    public void WriteTo_AnyPath_IsOneLineOfJson(string path)
    {
        var line = Write(Line(path: path));

        line.GetProperty("path").GetString().ShouldBe(path);
        line.GetProperty("message").GetString().ShouldNotBeNull().ShouldStartWith($"PUT {path} on route");
    }

    private static JsonElement Write(AccessLine line)
    {
        var buffer = new ArrayBufferWriter<byte>();
        line.WriteTo(buffer);
        Encoding.UTF8.GetString(buffer.WrittenSpan).ShouldNotContain('\n');
        return JsonSerializer.Deserialize<JsonElement>(buffer.WrittenSpan);
    }

    private static AccessLine Line(
        string? path = "/orders/1", string? route = "orders", string? tenant = "t-1", string? outcome = null,
        string? resource = null, long? token = null, bool isTraced = true) => new()
        {
            Timestamp = new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc),
            Level = "Information",
            Method = "PUT",
            Path = path,
            Route = route,
            Status = 200,
            LatencyMs = 1.25,
            CorrelationId = "c-1",
            TenantId = tenant,
            TraceId = isTraced ? ActivityTraceId.CreateRandom() : null,
            SpanId = isTraced ? ActivitySpanId.CreateRandom() : null,
            Outcome = outcome,
            Resource = resource,
            Token = token,
        };
}
