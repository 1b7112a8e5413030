using System.Globalization;
using System.Text;

namespace FenceGateway.TestKit;

/// <summary>
/// Reads HTTP/1.1 responses, and the lines of requests, from a connection (RFC 9112), keeping what belongs to the next
/// one.
/// </summary>
internal sealed class RawHttpReader(Stream stream)
{
    private readonly byte[] _buffer = new byte[16 * 1024];
    private int _start;
    private int _end;

    public async Task<RawHttpResponse> ReadAsync(bool toHead, CancellationToken cancellationToken)
    {
        List<int> interim = [];
        while (true)
        {
            var (status, reason) = ParseStatusLine(await ReadLineAsync(cancellationToken));
            var headers = await ReadHeadersAsync(cancellationToken);
            if (status is >= 100 and < 200 and not 101)
            {
                interim.Add(status);
                continue;
            }

            var body = new MemoryStream();
            List<KeyValuePair<string, string>> trailers = [];
            var complete = toHead || status is 101 or 204 or 304
                || await ReadBodyAsync(headers, body, trailers, cancellationToken);
            return new RawHttpResponse
            {
                Status = status,
                Reason = reason,
                Headers = headers,
                Trailers = trailers,
                Interim = interim,
                Body = body.ToArray(),
                Complete = complete,
            };
        }
    }

    /// <summary>The next bytes; none when the peer has closed.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ReadSomeAsync(int most, CancellationToken cancellationToken)
    {
        if (_start == _end)
        {
            _start = 0;
            _end = await stream.ReadAsync(_buffer, cancellationToken);
        }

        var count = Math.Min(most, _end - _start);
        var bytes = _buffer.AsMemory(_start, count);
        _start += count;
        return bytes;
    }

    private static (int Status, string Reason) ParseStatusLine(string line)
    {
        var parts = line.Split(' ', 3);
        if (parts.Length < 2 || !parts[0].StartsWith("HTTP/1.", StringComparison.Ordinal))
        {
            throw new InvalidDataException($"Not an HTTP/1.x status line: '{line}'");
        }

        return (int.Parse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture), parts.Length > 2 ? parts[2] : "");
    }

    private async Task<bool> ReadBodyAsync(
        List<KeyValuePair<string, string>> headers,
        MemoryStream body,
        List<KeyValuePair<string, string>> trailers,
        CancellationToken cancellationToken)
    {
        try
        {
            if (Find(headers, "Transfer-Encoding") is { } coding)
            {
                return coding.Equals("chunked", StringComparison.OrdinalIgnoreCase)
                    ? await ReadChunksAsync(body, trailers, cancellationToken)
                    : throw new InvalidDataException($"Transfer-Encoding: {coding}");
            }

            var length = Find(headers, "Content-Length") is { } text
                ? long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture)
                : (long?)null;
            return await CopyAsync(body, length ?? long.MaxValue, cancellationToken) || length is null;
        }
        catch (Exception e) when (e is EndOfStreamException or IOException)
        {
            return false;
        }
    }

    private async Task<bool> ReadChunksAsync(
        MemoryStream body, List<KeyValuePair<string, string>> trailers, CancellationToken cancellationToken)
    {
        while (true)
        {
            var size = long.Parse(
                (await ReadLineAsync(cancellationToken)).Split(';')[0].Trim(), NumberStyles.AllowHexSpecifier,
                CultureInfo.InvariantCulture);
            if (size == 0)
            {
                trailers.AddRange(await ReadHeadersAsync(cancellationToken));
                return true;
            }

            if (!await CopyAsync(body, size, cancellationToken))
            {
                return false;
            }

            _ = await ReadLineAsync(cancellationToken);
        }
    }

    private async Task<bool> CopyAsync(MemoryStream body, long count, CancellationToken cancellationToken)
    {
        while (count > 0)
        {
            var bytes = await ReadSomeAsync((int)Math.Min(count, _buffer.Length), cancellationToken);
            if (bytes.IsEmpty)
            {
                return false;
            }

            body.Write(bytes.Span);
            count -= bytes.Length;
        }

        return true;
    }

    public async Task<List<KeyValuePair<string, string>>> ReadHeadersAsync(CancellationToken cancellationToken)
    {
        List<KeyValuePair<string, string>> headers = [];
        while (await ReadLineAsync(cancellationToken) is { Length: > 0 } line)
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon < 1)
            {
                throw new InvalidDataException($"Not a header: '{line}'");
            }

            headers.Add(new(line[..colon], line[(colon + 1)..].Trim(' ', '\t')));
        }

        return headers;
    }

    public async Task<string> ReadLineAsync(CancellationToken cancellationToken)
    {
        List<byte> line = [];
        while (true)
        {
            var next = await ReadSomeAsync(1, cancellationToken);
            if (next.IsEmpty)
            {
                throw new EndOfStreamException(
                    $"The connection was closed after '{Encoding.Latin1.GetString(line.ToArray())}'");
            }

            if (next.Span[0] != '\n')
            {
                line.Add(next.Span[0]);
                continue;
            }

            return Encoding.Latin1.GetString(line.ToArray()).TrimEnd('\r');
        }
    }

    public static string? Find(List<KeyValuePair<string, string>> headers, string name) =>
        headers.Find(h => h.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value;
}
