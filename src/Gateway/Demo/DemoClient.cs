using System.Net.Http.Headers;
using System.Text;

namespace FenceGateway.Gateway.Demo;

/// <summary>A request of the story.</summary>
internal sealed record DemoRequest(string Method, string Path, int? Token = null, string? Body = null);

/// <summary>What came back.</summary>
/// <param name="Status">The status code.</param>
/// <param name="Reason">Its phrase.</param>
/// <param name="Headers">Those that say something here, one a line.</param>
/// <param name="ContentType">The media type, or empty.</param>
/// <param name="Body">The body.</param>
/// <param name="Elapsed">From the request to the end of the answer.</param>
internal sealed record DemoResponse(
    int Status, string Reason, string[] Headers, string ContentType, string Body, TimeSpan Elapsed);

/// <summary>Sends the requests of the story to the gateway over HTTP, as any client would.</summary>
internal sealed class DemoClient(string gatewayUrl, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(40);
    private static readonly string[] Interesting = ["Content-Type", "Proxy-Status", "Retry-After"];

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
    {
        BaseAddress = new Uri(gatewayUrl),
        Timeout = Timeout,
    };

    /// <exception cref="HttpRequestException">The gateway gave no answer.</exception>
    public async Task<DemoResponse> SendAsync(DemoRequest request, CancellationToken cancellationToken)
    {
        using var message = new HttpRequestMessage(new HttpMethod(request.Method), request.Path);
        if (request.Token is { } token)
        {
            message.Headers.Add(DemoService.TokenHeader, token.ToString());
        }

        if (request.Body is { } body)
        {
            message.Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("text/plain"));
        }

        var started = time.GetTimestamp();
        using var response = await _http.SendAsync(message, cancellationToken);
        return new DemoResponse(
            (int)response.StatusCode,
            response.ReasonPhrase ?? "",
            [.. HeadersOf(response)],
            response.Content.Headers.ContentType?.MediaType ?? "",
            await response.Content.ReadAsStringAsync(cancellationToken),
            time.GetElapsedTime(started));
    }

    public void Dispose() => _http.Dispose();

    private static IEnumerable<string> HeadersOf(HttpResponseMessage response) =>
        from name in Interesting
        from header in response.Headers.Concat(response.Content.Headers)
        where header.Key.Equals(name, StringComparison.OrdinalIgnoreCase)
        select $"{name}: {string.Join(", ", header.Value)}";
}
