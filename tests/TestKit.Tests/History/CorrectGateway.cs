namespace FenceGateway.TestKit.Tests.History;

/// <summary>
/// Plays a gateway that does everything right, one step for each number, and writes down the history. It ends with two
/// tokens forwarded on <see cref="Last"/> and a 409 for the first, so that every kind of mutation has something to
/// break.
/// </summary>
internal sealed class CorrectGateway
{
    public const string Last = "/r0";

    private readonly HistoryBuilder _history = new();
    private readonly Dictionary<string, long> _marks = new(StringComparer.Ordinal);
    private readonly List<HistoryBuilder.Request> _waiting = [];
    private readonly List<HistoryBuilder.Request> _inFlight = [];

    private CorrectGateway()
    {
    }

    public static HistoryBuilder Play(IEnumerable<int> steps)
    {
        var gateway = new CorrectGateway();
        foreach (var step in steps)
        {
            gateway.Step(step);
        }

        gateway.Close();
        return gateway._history;
    }

    private void Step(int step)
    {
        switch (step % 10)
        {
            case < 5:
                Decide(_history.Send(1 + step / 10 % 7, $"/r{step / 100 % 2}"));
                break;
            case < 8 when _inFlight.Count > 0:
                End(_inFlight[step / 10 % _inFlight.Count], step / 100 % 4);
                break;
            case 8 when _waiting.Count > 0:
                GiveUp(_waiting[step / 10 % _waiting.Count], step / 100 % 2 == 0);
                break;
            case 9:
                Crash();
                break;
        }
    }

    private void Decide(HistoryBuilder.Request request)
    {
        var mark = _marks.GetValueOrDefault(request.Resource);
        if (request.Token < mark)
        {
            _history.Stale(request);
            return;
        }

        _marks[request.Resource] = request.Token;
        if (_inFlight.Exists(r => r.Resource == request.Resource && r.Token < request.Token))
        {
            _waiting.Add(request);
            return;
        }

        _history.Arrive(request);
        _inFlight.Add(request);
    }

    /// <summary>The service ends a write: applied or not, its answer delivered or lost.</summary>
    private void End(HistoryBuilder.Request request, int how)
    {
        if (how != 0)
        {
            _history.Apply(request);
        }

        _history.End(request);
        _ = _inFlight.Remove(request);
        if (how != 1)
        {
            _history.Answer(request, how == 0 ? 422 : 200);
        }

        var drained = _waiting.FindAll(r => r.Resource == request.Resource);
        _ = _waiting.RemoveAll(drained.Contains);
        drained.ForEach(Decide);
    }

    private void GiveUp(HistoryBuilder.Request request, bool answered)
    {
        _ = _waiting.Remove(request);
        if (answered)
        {
            _history.Draining(request);
        }
    }

    /// <summary>Marks and what the service has begun survive; who waited gets no answer.</summary>
    private void Crash() => _waiting.Clear();

    private void Close()
    {
        while (_inFlight.Count > 0)
        {
            End(_inFlight[0], 2);
        }

        var mark = _marks.GetValueOrDefault(Last);
        _ = _history.Forward(mark + 1, Last);
        _ = _history.Forward(mark + 2, Last);
        _history.Stale(_history.Send(mark + 1, Last));
    }
}
