using System.Threading.Channels;

namespace FenceGateway.TestKit;

/// <summary>
/// A request that has arrived at a <see cref="JournalService"/>, and the handle of a held one. A held request that is
/// never released stays open until the service is disposed; the service does not care whether its client is still
/// there, as a service that works on.
/// </summary>
public sealed class ServiceArrival
{
    private readonly JournalService _service;
    private readonly bool _held;
    private readonly Channel<Command> _commands = Channel.CreateUnbounded<Command>();
    private readonly TaskCompletionSource _clientGone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly List<(long Length, TaskCompletionSource Reached)> _bodyWaiters = [];
    private long _bodyLength;

    internal ServiceArrival(JournalService service, int index, bool held)
    {
        _service = service;
        Index = index;
        _held = held;
    }

    /// <summary>The request's place in <see cref="JournalService.Entries"/>.</summary>
    public int Index { get; }

    /// <summary>The journal's entry as it is now.</summary>
    public JournalEntry Entry => _service.EntryAt(Index);

    internal ChannelReader<Command> Commands => _commands.Reader;

    /// <summary>Completes when the connection was closed or reset while the service had not answered.</summary>
    public Task WaitForClientGoneAsync() => _clientGone.Task.WithinLimit("the service's client to go away");

    /// <summary>Completes when the service is done with the request.</summary>
    public Task WaitForEndAsync() => _ended.Task.WithinLimit("the request to end at the service");

    /// <summary>Completes when <paramref name="length"/> bytes of the body have been read.</summary>
    public Task WaitForBodyAsync(long length)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            _bodyWaiters.Add((length, reached));
            NotifyBodyLocked();
        }

        return reached.Task.WithinLimit($"{length} bytes of the body at the service");
    }

    /// <summary>Ends the request: applied (unless <paramref name="applied"/> is false), then answered.</summary>
    public void Release(int status = 200, string body = "", bool applied = true) =>
        Send(new Command.Release(status, body, applied));

    /// <summary>
    /// Ends the request by a reset of its connection; whether it had its effect is the test's choice.
    /// </summary>
    public void Reset(bool applied = false) => Send(new Command.Reset(applied));

    /// <summary>The request has its effect now; the answer is still held.</summary>
    public void Apply() => Send(new Command.Apply());

    /// <summary>Sends the head of the answer (once) and a part of its body; the answer stays open.</summary>
    public void SendPart(string text, int status = 200) => Send(new Command.Part(status, text));

    internal void BodyRead(int count)
    {
        lock (_lock)
        {
            _bodyLength += count;
            NotifyBodyLocked();
        }
    }

    internal void ClientGone() => _clientGone.TrySetResult();

    internal void Ended() => _ended.TrySetResult();

    private void NotifyBodyLocked() => _bodyWaiters.RemoveAll(w => _bodyLength >= w.Length && w.Reached.TrySetResult());

    private void Send(Command command)
    {
        if (!_held)
        {
            throw new InvalidOperationException("The request was not held: its script decided already");
        }

        _ = _commands.Writer.TryWrite(command);
    }

    internal abstract record Command
    {
        internal sealed record Release(int Status, string Body, bool Applied) : Command;

        internal sealed record Reset(bool Applied) : Command;

        internal sealed record Apply : Command;

        internal sealed record Part(int Status, string Text) : Command;
    }
}
