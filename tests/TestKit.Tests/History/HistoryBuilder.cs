using System.Globalization;

namespace FenceGateway.TestKit.Tests.History;

/// <summary>Writes histories down event by event: each call is the next event.</summary>
internal sealed class HistoryBuilder
{
    private readonly EventClock _clock = new();
    private readonly List<Request> _requests = [];

    public List<ServiceWrite> Writes { get; } = [];

    public List<GatewayAnswer> Answers =>
        [.. _requests.Select(r => new GatewayAnswer(r.Id, r.Resource, r.Token, r.Sent, r.Answered, r.Status, r.Problem, r.Gateway, r.Mark))];

    /// <summary>A moment that nothing of the history happens at.</summary>
    public long Now() => _clock.Next();

    public Request Send(long token, string resource = "/a", string? gateway = null)
    {
        var id = (_requests.Count + 1).ToString(CultureInfo.InvariantCulture);
        var request = new Request(id, resource, token, _clock.Next()) { Gateway = gateway };
        _requests.Add(request);
        return request;
    }

    /// <summary>It arrives at the service; every call is one arrival.</summary>
    public void Arrive(Request request, long? token = null)
    {
        request.Write = Writes.Count;
        Writes.Add(new ServiceWrite(request.Id, request.Resource, token ?? request.Token, _clock.Next(), null, null));
    }

    public void Apply(Request request) =>
        Writes[request.Write] = Writes[request.Write] with { AppliedAt = _clock.Next() };

    public void End(Request request) => Writes[request.Write] = Writes[request.Write] with { Ended = _clock.Next() };

    public void Answer(Request request, int status, string? problem = null)
    {
        request.Answered = _clock.Next();
        request.Status = status;
        request.Problem = problem;
    }

    public void Stale(Request request, long? mark = null)
    {
        Answer(request, 409, "fencing-token-stale");
        request.Mark = mark;
    }

    public void Draining(Request request, long? mark = null)
    {
        Answer(request, 503, "fence-draining");
        request.Mark = mark;
    }

    public void Unavailable(Request request) => Answer(request, 503, "token-store-unavailable");

    public void Finish(Request request)
    {
        Apply(request);
        End(request);
        Answer(request, 200);
    }

    /// <summary>A request from its sending to the service's answer.</summary>
    public Request Forward(long token, string resource = "/a", string? gateway = null)
    {
        var request = Send(token, resource, gateway);
        Arrive(request);
        Finish(request);
        return request;
    }

    internal sealed class Request(string id, string resource, long token, long sent)
    {
        public string Id { get; } = id;

        public string Resource { get; } = resource;

        public long Token { get; } = token;

        public long Sent { get; } = sent;

        public int Write { get; set; } = -1;

        public long? Answered { get; set; }

        public int? Status { get; set; }

        public string? Problem { get; set; }

        public string? Gateway { get; init; }

        public long? Mark { get; set; }
    }
}
