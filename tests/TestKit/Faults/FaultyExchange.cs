using System.Globalization;
using System.Text;
using System.Threading.Channels;

namespace FenceGateway.TestKit;

/// <summary>
/// One request at a <see cref="FaultyService"/>: what a <see cref="Fault"/> is made of, and the test's handle on it.
/// </summary>
public sealed class FaultyExchange
{
    private readonly FaultyService _service;
    private readonly FaultyConnection _connection;
    private readonly RawHttpReader _reader;
    private readonly int _index;
    private readonly Channel<bool> _steps = Channel.CreateUnbounded<bool>();
    private readonly TaskCompletionSource _bodyRead = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly bool _chunked;
    private long _unread;

    internal FaultyExchange(
        FaultyService service,
        FaultyConnection connection,
        RawHttpReader reader,
        List<KeyValuePair<string, string>> headers,
        int index,
        Fault fault)
    {
        (_service, _connection, _reader, _index, Fault) = (service, connection, reader, index, fault);
        _chunked = RawHttpReader.Find(headers, "Transfer-Encoding") is not null;
        _unread = RawHttpReader.Find(headers, "Content-Length") is { } length
            ? long.Parse(length, NumberStyles.None, CultureInfo.InvariantCulture)
            : 0;
    }

    /// <summary>The journal's entry as it is now.</summary>
    public JournalEntry Entry => _service.EntryAt(_index);

    /// <summary>What the service does with it.</summary>
    public Fault Fault { get; }

    /// <summary>The number of its connection, from 1.</summary>
    public int Connection => _connection.Number;

    /// <summary>
    /// Lets the fault go on to its next step (see <see cref="StepAsync"/>); may be called in advance.
    /// </summary>
    public void Release() => _ = _steps.Writer.TryWrite(true);

    /// <summary>Completes when the whole body was read.</summary>
    public Task WaitForBodyAsync() => _bodyRead.Task.WithinLimit("the request's whole body at the service");

    /// <summary>Completes when the service is done with the request, be it because the peer has gone.</summary>
    public Task WaitForEndAsync() => _ended.Task.WithinLimit("the request to end at the service");

    /// <summary>Waits for the test's next <see cref="Release"/>.</summary>
    public Task StepAsync() => _steps.Reader.ReadAsync(_service.Stopping).AsTask();

    /// <summary>Reads the whole body.</summary>
    public async Task ReadBodyAsync()
    {
        if (_chunked)
        {
            while (await NextChunkAsync() is > 0 and var size)
            {
                _unread = size;
                await ReadUnreadAsync();
                _ = await _reader.ReadLineAsync(_service.Stopping);
            }
        }
        else
        {
            await ReadUnreadAsync();
        }

        _ = _bodyRead.TrySetResult();
    }

    /// <summary>The request has its effect now.</summary>
    public void Apply() =>
        _service.Update(
            _index, e => e with { AppliedAt = e.AppliedAt ?? _service.Clock.Next(), Result = JournalResult.Applied });

    /// <summary>
    /// Journals the end; before the last byte of the answer leaves, so that whoever sees the answer sees the end.
    /// </summary>
    public void Ends(int status) => End(JournalResult.Refused, status);

    /// <summary>Answers as a healthy service does.</summary>
    public Task AnswerAsync(int status = 200, string body = "done", params string[] headers)
    {
        Ends(status);
        var all = string.Concat(headers.Select(h => h + "\r\n"));
        // To HEAD there is no body, whatever its length.
        var sent = Entry.Method == "HEAD" ? "" : body;
        return SendAsync($"HTTP/1.1 {status} X\r\nContent-Length: {body.Length}\r\n{all}\r\n{sent}");
    }

    /// <summary>Sends exactly this, each character as one byte.</summary>
    public Task SendAsync(string text) => _connection.SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Resets the connection (RST).</summary>
    public void Reset()
    {
        End(JournalResult.Aborted, null);
        _connection.Reset();
    }

    /// <summary>Closes the connection orderly (FIN), and waits until the peer has done so too.</summary>
    public Task CloseAsync()
    {
        End(JournalResult.Aborted, null);
        _connection.HalfClose();
        return PeerGoneAsync();
    }

    /// <summary>Does nothing more until the peer closes or resets the connection.</summary>
    public async Task PeerGoneAsync()
    {
        while (!(await _reader.ReadSomeAsync(int.MaxValue, _service.Stopping)).IsEmpty)
        {
        }
    }

    /// <summary>Runs the fault. True: the connection can carry another request.</summary>
    internal async Task<bool> RunAsync()
    {
        try
        {
            return await Fault.Behave(this);
        }
        finally
        {
            End(JournalResult.Aborted, null);
            _ = _ended.TrySetResult();
        }
    }

    private async Task<long> NextChunkAsync()
    {
        var line = await _reader.ReadLineAsync(_service.Stopping);
        var size = long.Parse(line.Split(';')[0].Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        if (size == 0)
        {
            _ = await _reader.ReadHeadersAsync(_service.Stopping);
        }

        return size;
    }

    private async Task ReadUnreadAsync()
    {
        while (_unread > 0)
        {
            var bytes = await _reader.ReadSomeAsync((int)Math.Min(_unread, int.MaxValue), _service.Stopping);
            if (bytes.IsEmpty)
            {
                throw new EndOfStreamException("The peer closed the connection within the body");
            }

            _unread -= bytes.Length;
            _service.Update(_index, e => e with { BodyLength = e.BodyLength + bytes.Length });
        }
    }

    /// <summary>Once; an effect that has happened stays.</summary>
    private void End(JournalResult result, int? status) =>
        _service.Update(_index, e => e.Ended is not null
            ? e
            : e with
            {
                Ended = _service.Clock.Next(),
                Result = e.AppliedAt is null ? result : JournalResult.Applied,
                Status = status,
            });
}
