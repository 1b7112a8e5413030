using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace FenceGateway.TestKit;

/// <summary>
/// One accepted connection of a <see cref="FaultyService"/> and the requests on it, one after the other.
/// </summary>
internal sealed class FaultyConnection(FaultyService service, Socket socket, int number) : IDisposable
{
    private readonly NetworkStream _stream = new(socket, ownsSocket: true);
    private readonly Lock _lock = new();
    private bool _closed;

    /// <summary>From 1, in the order in which they were accepted.</summary>
    public int Number => number;

    public async Task RunAsync(ConnectionFault fault)
    {
        try
        {
            await RunCoreAsync(fault);
        }
        catch (Exception e) when (
            e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The peer, the script or the end of the service has closed the connection.
        }
    }

    public Task SendAsync(ReadOnlyMemory<byte> bytes) => _stream.WriteAsync(bytes, service.Stopping).AsTask();

    /// <summary>Ends the connection with RST, at once.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            if (!_closed)
            {
                _closed = true;
                socket.LingerState = new LingerOption(enable: true, seconds: 0);
                socket.Close();
            }
        }
    }

    /// <summary>Ends the connection with FIN in the direction of the peer.</summary>
    public void HalfClose()
    {
        lock (_lock)
        {
            if (!_closed)
            {
                socket.Shutdown(SocketShutdown.Send);
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _closed = true;
        }

        _stream.Dispose();
    }

    private async Task RunCoreAsync(ConnectionFault fault)
    {
        socket.NoDelay = true;
        switch (fault)
        {
            case ConnectionFault.NeverRead:
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, service.Stopping);
                break;
            case ConnectionFault.ResetUnread:
                var seen = new byte[4096];
                var count = await socket.ReceiveAsync(seen, SocketFlags.Peek, service.Stopping);
                service.LeftUnread(Encoding.Latin1.GetString(seen, 0, count));
                Reset();
                break;
            default:
                await ServeAsync(new RawHttpReader(_stream));
                break;
        }
    }

    private async Task ServeAsync(RawHttpReader reader)
    {
        var again = true;
        while (again)
        {
            var line = await reader.ReadLineAsync(service.Stopping);
            var headers = await reader.ReadHeadersAsync(service.Stopping);
            var index = Journal(line.Split(' '), headers);
            var fault = service.Script(service.EntryAt(index));
            var exchange = new FaultyExchange(service, this, reader, headers, index, fault);
            service.Arrived(exchange);
            again = await exchange.RunAsync();
        }
    }

    private int Journal(string[] requestLine, List<KeyValuePair<string, string>> headers)
    {
        var byName = headers.GroupBy(h => h.Key, StringComparer.OrdinalIgnoreCase)
            .ToDictionary(g => g.Key, g => g.Select(h => h.Value).ToArray(), StringComparer.OrdinalIgnoreCase);
        var token = byName.GetValueOrDefault("Fencing-Token");
        return service.Add(started => new JournalEntry
        {
            Started = started,
            Method = requestLine[0],
            Resource = Uri.UnescapeDataString(requestLine[1].Split('?')[0]),
            Target = requestLine[1],
            Token = token is [var text]
                && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
                ? value
                : null,
            RequestId = byName.GetValueOrDefault(JournalService.RequestIdHeader) is [var id, ..] ? id : null,
            Headers = byName,
            Protocol = requestLine[^1],
        });
    }
}
