using System.Text.Json;
using System.Text.Json.Nodes;

namespace FenceGateway.Gateway.Admin;

/// <summary>Answers of the admin listener: indented JSON for people with curl, problem+json for errors.</summary>
internal static class AdminJson
{
    private static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static Task WriteAsync(
        HttpContext context, int status, JsonNode body, string contentType = "application/json")
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
        context.Response.Headers.CacheControl = "no-store";
        return context.Response.WriteAsync(body.ToJsonString(Options) + "\n");
    }

    public static Task WriteProblemAsync(HttpContext context, int status, string title, string detail) =>
        WriteAsync(
            context,
            status,
            new JsonObject { ["type"] = "about:blank", ["title"] = title, ["status"] = status, ["detail"] = detail },
            "application/problem+json");
}
