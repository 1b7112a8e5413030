using System.Net;
using System.Net.Sockets;
using System.Text;

namespace FenceGateway.TestKit;

/// <summary>
/// One TCP connection to a port of 127.0.0.1 that sends exactly the bytes it is given: for requests that no HTTP client
/// would make. Every wait ends with <see cref="TimeoutException"/> after the time limit.
/// </summary>
public sealed class RawHttpClient : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly RawHttpReader _reader;
    private readonly TimeSpan _limit;

    private RawHttpClient(Socket socket, TimeSpan limit)
    {
        _socket = socket;
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reader = new RawHttpReader(_stream);
        _limit = limit;
    }

    public static async Task<RawHttpClient> ConnectAsync(int port, TimeSpan? limit = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port));
            return new RawHttpClient(socket, limit ?? TimeLimit.Default);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends <paramref name="request"/> on a connection of its own and reads the response.</summary>
    public static async Task<RawHttpResponse> ExchangeAsync(int port, string request, TimeSpan? limit = null)
    {
        await using var client = await ConnectAsync(port, limit);
        await client.SendAsync(request);
        return await client.ReadResponseAsync(request.StartsWith("HEAD ", StringComparison.Ordinal));
    }

    /// <summary>
    /// A request line and headers (each <c>Name: value</c>), ended by an empty line. Nothing is added.
    /// </summary>
    public static string Head(string requestLine, params ReadOnlySpan<string> headers) =>
        $"{requestLine}\r\n{string.Concat(headers.ToArray().Select(h => h + "\r\n"))}\r\n";

    /// <summary>Sends <paramref name="text"/> with each character as one byte (Latin-1).</summary>
    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    public Task SendAsync(ReadOnlyMemory<byte> bytes) =>
        WithLimit(async token =>
        {
            await _stream.WriteAsync(bytes, token);
            return true;
        });

    /// <summary>Sends <see cref="Head"/>; the body, if any, follows with <see cref="SendAsync(string)"/>.</summary>
    public Task SendHeadAsync(string requestLine, params ReadOnlySpan<string> headers) =>
        SendAsync(Head(requestLine, headers));

    /// <summary>Sends one chunk of a chunked body; an empty one ends the body.</summary>
    public Task SendChunkAsync(string text) => SendAsync($"{text.Length:x}\r\n{text}\r\n");

    /// <summary>Reads the next response.</summary>
    /// <param name="toHead">The request was a HEAD: the response has no body.</param>
    /// <exception cref="EndOfStreamException">The connection was closed before the response's head ended.</exception>
    /// <exception cref="IOException">The connection was reset before the response's head ended.</exception>
    public Task<RawHttpResponse> ReadResponseAsync(bool toHead = false) =>
        WithLimit(token => _reader.ReadAsync(toHead, token));

    /// <summary>
    /// Reads until <paramref name="text"/> has come, and returns everything up to the bytes read then.
    /// </summary>
    public Task<string> ReadUntilAsync(string text) =>
        WithLimit(async token =>
        {
            var seen = new StringBuilder();
            while (!seen.ToString().Contains(text, StringComparison.Ordinal))
            {
                var bytes = await _reader.ReadSomeAsync(1, token);
                _ = bytes.IsEmpty
                    ? throw new EndOfStreamException($"Closed after '{seen}'")
                    : seen.Append(Encoding.Latin1.GetString(bytes.Span));
            }

            return seen.ToString();
        });

    /// <summary>Completes when the peer has closed or reset the connection; bytes until then are thrown away.</summary>
    public Task WaitForCloseAsync() =>
        WithLimit(async token =>
        {
            try
            {
                while (!(await _reader.ReadSomeAsync(int.MaxValue, token)).IsEmpty)
                {
                }
            }
            catch (IOException)
            {
                // A reset is a close as well.
            }

            return true;
        });

    /// <summary>Says that nothing more will be sent (FIN); responses can still be read.</summary>
    public void HalfClose() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Ends the connection at once with a reset (RST), as a crashed client would.</summary>
    public void Abort()
    {
        _socket.LingerState = new LingerOption(enable: true, seconds: 0);
        _stream.Dispose();
    }

    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    private async Task<T> WithLimit<T>(Func<CancellationToken, Task<T>> action)
    {
        using var limit = new CancellationTokenSource(_limit);
        try
        {
            return await action(limit.Token);
        }
        catch (OperationCanceledException e) when (limit.IsCancellationRequested)
        {
            throw new TimeoutException($"No answer within {_limit.TotalSeconds:0.#} s", e);
        }
    }
}
