using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Admin;

/// <summary>What an operator asks for: the body of a POST, with who asks and why, for the audit.</summary>
/// <param name="Body">The whole body.</param>
/// <param name="Reason">Why; never empty.</param>
/// <param name="Actor">Who.</param>
/// <param name="Resource">Which resource, if the body names it.</param>
internal sealed record AdminChange(JsonObject Body, string Reason, string Actor, string? Resource)
{
    private const int MaxBodyBytes = 16 * 1024;

    /// <summary>Of two values with one name nobody knows which was meant.</summary>
    private static readonly JsonDocumentOptions StrictJson = new() { AllowDuplicateProperties = false };

    /// <summary>
    /// Null unless it is a JSON object with a reason, sent as JSON: a browser page elsewhere cannot send that unasked.
    /// </summary>
    public static async Task<AdminChange?> ReadAsync(HttpContext context)
    {
        if (!context.Request.HasJsonContentType() || context.Request.ContentLength is null or > MaxBodyBytes)
        {
            return null;
        }

        try
        {
            var bytes = new byte[(int)context.Request.ContentLength];
            await context.Request.Body.ReadExactlyAsync(bytes, context.RequestAborted);
            return Utf8.IsValid(bytes) && JsonNode.Parse(bytes, null, StrictJson) is JsonObject body
                && body["reason"] is JsonValue value
                && value.TryGetValue<string>(out var reason)
                && reason.Trim() is { Length: > 0 and <= SetMarkRequest.MaxTextLength } trimmed
                ? new AdminChange(
                    body, trimmed, $"admin API from {context.Connection.RemoteIpAddress}",
                    body["resource"]?.GetValue<string>())
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            // No JSON, or text that is none: half a surrogate pair, bytes that are no UTF-8; or a resource that is no
            // text.
            return null;
        }
    }

    public static Task AnswerBadAsync(HttpContext context, string example) => AdminJson.WriteProblemAsync(
        context, 400, "Bad Request", $"Send Content-Type: application/json and {example}.");
}
