using System.Text;

namespace FenceGateway.TestKit;

/// <summary>One HTTP/1.1 response as it came over the wire.</summary>
public sealed class RawHttpResponse
{
    public required int Status { get; init; }

    public required string Reason { get; init; }

    /// <summary>In the order of arrival, names as sent.</summary>
    public required IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; }

    /// <summary>After a chunked body.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Trailers { get; init; } = [];

    /// <summary>The statuses of the interim responses (1xx) before this one.</summary>
    public IReadOnlyList<int> Interim { get; init; } = [];

    /// <summary>Without framing.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>False when the connection ended before the body did.</summary>
    public bool Complete { get; init; } = true;

    /// <summary>The body as UTF-8.</summary>
    public string Text => Encoding.UTF8.GetString(Body.Span);

    /// <summary>The header's values, one for each of its lines; none when it is absent.</summary>
    public IReadOnlyList<string> Values(string name) =>
        [.. Headers.Where(h => h.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(h => h.Value)];

    /// <summary>The header's only value; null when it is absent.</summary>
    /// <exception cref="InvalidOperationException">It has several lines.</exception>
    public string? Value(string name) => Values(name).SingleOrDefault();

    public override string ToString() =>
        $"HTTP/1.1 {Status} {Reason}\n{string.Join('\n', Headers.Select(h => $"{h.Key}: {h.Value}"))}\n\n{Text}";
}
