using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;

namespace FenceGateway.TestKit;

/// <summary>
/// Sends requests with tokens and keeps what came back, as the history checker wants it: one for each history, shared
/// by all senders. A request without an answer (refused connection, reset, killed gateway) is part of the history.
/// </summary>
/// <param name="clock">The clock of the service behind the gateway.</param>
/// <param name="timeout">How long it waits for an answer; null for <see cref="TimeLimit.Default"/>.</param>
public sealed class RecordingClient(EventClock clock, TimeSpan? timeout = null) : IDisposable
{
    private const string ProblemPrefix = "urn:problem-type:fencegateway:";

    private readonly HttpClient _client = new() { Timeout = timeout ?? TimeLimit.Default };
    private readonly ConcurrentQueue<GatewayAnswer> _answers = new();
    private long _lastId;

    /// <summary>All requests so far that have ended.</summary>
    public IReadOnlyList<GatewayAnswer> Answers => [.. _answers];

    /// <summary>Sends one request; never throws for what the gateway does.</summary>
    /// <param name="gateway">The gateway's base address.</param>
    /// <param name="method">The method.</param>
    /// <param name="path">The path, which also names the resource: <c>/orders/42</c>.</param>
    /// <param name="token">The fencing token.</param>
    /// <param name="name">The gateway's name in the history of a fleet.</param>
    public async Task<GatewayAnswer> SendAsync(
        Uri gateway, HttpMethod method, string path, long token, string? name = null)
    {
        var id = Interlocked.Increment(ref _lastId).ToString(CultureInfo.InvariantCulture);
        using var request = new HttpRequestMessage(method, new Uri(gateway, path));
        request.Headers.Add("Fencing-Token", token.ToString(CultureInfo.InvariantCulture));
        request.Headers.Add(JournalService.RequestIdHeader, id);
        // With content, be it empty: a request without any may be sent again by the client itself when its connection
        // ends.
        request.Content = new StringContent(method == HttpMethod.Get ? "" : $"{id} wrote with {token}");
        var sent = clock.Next();
        var answer = await AnswerAsync(request, new GatewayAnswer(id, path, token, sent, null, null, null, name));
        _answers.Enqueue(answer);
        return answer;
    }

    public void Dispose() => _client.Dispose();

    private async Task<GatewayAnswer> AnswerAsync(HttpRequestMessage request, GatewayAnswer unanswered)
    {
        try
        {
            using var response = await _client.SendAsync(request);
            var (problem, mark) = response.Content.Headers.ContentType?.MediaType == "application/problem+json"
                ? await ProblemAsync(response)
                : default;
            return unanswered with
            { Answered = clock.Next(), Status = (int)response.StatusCode, Problem = problem, Mark = mark };
        }
        catch (Exception e) when (
            e is HttpRequestException or OperationCanceledException or IOException or SocketException)
        {
            // A connection that is reset as soon as it is made surfaces as the socket's own exception.
            return unanswered;
        }
    }

    private static async Task<(string? Name, long? Mark)> ProblemAsync(HttpResponseMessage response)
    {
        using var json = await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync());
        var type = json.RootElement.TryGetProperty("type", out var value) ? value.GetString() : null;
        var name = type?.StartsWith(ProblemPrefix, StringComparison.Ordinal) == true
            ? type[ProblemPrefix.Length..]
            : null;
        return (name, json.RootElement.TryGetProperty("mark", out var mark) ? mark.GetInt64() : null);
    }
}
