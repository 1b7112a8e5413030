using System.Text.Json;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>A whole answer as a client sees it.</summary>
internal sealed record Answer(int Status, string Text, IReadOnlyDictionary<string, string> Headers)
{
    private const string ProblemPrefix = "urn:problem-type:fencegateway:";

    /// <summary>The problem type's name when the gateway answered itself; null for an answer of the service.</summary>
    public string? Problem => Headers.GetValueOrDefault("Content-Type") == "application/problem+json"
        ? Json.GetProperty("type").GetString()!.Replace(ProblemPrefix, "", StringComparison.Ordinal)
        : null;

    public JsonElement Json => JsonSerializer.Deserialize<JsonElement>(Text);

    public int? RetryAfter => Headers.TryGetValue("Retry-After", out var seconds) ? int.Parse(seconds) : null;

    public static async Task<Answer> ReadAsync(HttpResponseMessage response) => new(
        (int)response.StatusCode,
        await response.Content.ReadAsStringAsync(),
        response.Headers.Concat(response.Content.Headers)
            .ToDictionary(h => h.Key, h => string.Join(", ", h.Value), StringComparer.OrdinalIgnoreCase));

    public void ShouldBeServices(int status)
    {
        Problem.ShouldBeNull(Text);
        Status.ShouldBe(status, Text);
    }

    public void ShouldBeProblem(int status, string problem)
    {
        Problem.ShouldBe(problem, Text);
        Status.ShouldBe(status, Text);
    }
}
