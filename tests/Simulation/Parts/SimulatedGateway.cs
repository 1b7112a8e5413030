using System.Diagnostics.CodeAnalysis;
using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Simulation.Kernel;
using FenceGateway.TokenStore;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.Simulation.Parts;

/// <summary>
/// One life of a gateway: the product's own table, fences, session and tickets, on the clocks of a simulated process,
/// between the links of the run. Only the forwarding is told here once more: pieces, each looked at before it leaves.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "It is killed as a process is: nobody gives anything back.")]
internal sealed class SimulatedGateway
{
    /// <summary>So few that fences are evicted.</summary>
    private const int Capacity = 3;

    private static readonly TimeSpan LongestPiece = TimeSpan.FromMilliseconds(120);

    private readonly GatewayPlace _place;
    private readonly StoreClient _client;
    private readonly FenceTable _table;
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<string, long> _told = new(StringComparer.Ordinal);
    private int _open;

    public SimulatedGateway(GatewayPlace place, SimulatedProcess process, string name)
    {
        (_place, Process) = (place, process);
        var sessions = 0;
        var options = new StoreClientOptions
        {
            TimeToLive = Times.SessionTtl,
            WaitForStore = true,
            Random = place.Random,
            NewName = () => $"{name}.{++sessions}",
        };
        var store = place.Store.Connect(place, process);
        _client = new StoreClient(store, options, process.Clock, NullLogger<StoreClient>.Instance, place.Meters);
        _table = new FenceTable(_client, process.Clock, Capacity, registrationIdle: TimeSpan.FromSeconds(1));
        if (place.Flaw == Flaw.NoticeProves)
        {
            store.Changed += change => _told[change.Resource.Value] = change.Mark;
        }
    }

    public SimulatedProcess Process { get; }

    /// <summary>Whether it takes requests.</summary>
    public bool IsListening { get; private set; }

    public void Start() => Process.Run(() => _ = WatchAsync(StartAsync()));

    /// <summary>Takes a request in; what is answered goes back with the mark that the answer shows.</summary>
    public void Take(SimulatedRequest request, Action<int, string?, long?> answer) =>
        Process.Run(() => _ = WatchAsync(AnswerAsync(request, answer)));

    /// <summary>Stops in an orderly way, and then is gone.</summary>
    public void ShutDown(Action gone) => Process.Run(() => _ = WatchAsync(ShutDownAsync(gone)));

    private static bool IsLeft(ServiceEnd end) => end != ServiceEnd.NotSent;

    private async Task WatchAsync(Task task)
    {
        try
        {
            await task;
        }
        catch (Exception e)
        {
            _place.Failed(e);
        }
    }

    private async Task StartAsync()
    {
        await _client.OpenAsync(CancellationToken.None);
        IsListening = true;
    }

    private async Task AnswerAsync(SimulatedRequest request, Action<int, string?, long?> answer)
    {
        if (!IsListening)
        {
            return;
        }

        _open++;
        var (status, problem, mark) = await DecideAsync(request, _place.Rules);
        _open--;
        answer(status, problem, mark);
    }

    private async Task<(int Status, string? Problem, long? Mark)> DecideAsync(
        SimulatedRequest request, PolicyRules policy)
    {
        var token = new FencingToken(request.Token);
        if (_told.GetValueOrDefault(request.Resource) > request.Token)
        {
            return (409, "fencing-token-stale", null);
        }

        Admission admission;
        try
        {
            var fence = _table.Get(_place.Flaw == Flaw.OneFenceForAll ? "all" : request.Resource);
            if (!fence.TryAdmit(token, request.IsWrite, out admission))
            {
                admission = await _table.AdmitAsync(fence, token, request.IsWrite, policy.Admission, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            return (503, "shutting-down", null);
        }
        catch (TokenStoreUnavailableException)
        {
            return (503, "token-store-unavailable", null);
        }

        switch (admission.Status)
        {
            case AdmissionStatus.Stale:
                return (409, "fencing-token-stale", admission.Mark);
            case AdmissionStatus.Draining:
                return (503, "fence-draining", admission.Mark);
            case AdmissionStatus.Unavailable when _place.Flaw == Flaw.OpenWithoutStore:
                var unfenced = await SendAsync(request, default, Times.Write);
                return unfenced == ServiceEnd.Answered ? (200, null, null) : (504, "upstream-timeout", null);
            case AdmissionStatus.Unavailable:
                return (503, "token-store-unavailable", admission.Mark);
            default:
                return request.IsWrite ? await ForwardAsync(request, admission, policy) : (200, null, null);
        }
    }

    private async Task<(int Status, string? Problem, long? Mark)> ForwardAsync(
        SimulatedRequest request, Admission admission, PolicyRules policy)
    {
        var clock = Process.Clock;
        var token = new FencingToken(request.Token);
        var ticket = default(WriteTicket);
        ticket.Begin(admission.Session, clock.GetTimestamp(), FencingMode.Enforce);
        var end = await SendAsync(request, ticket, Times.Write);
        var mayGoAgain = end == ServiceEnd.NotSent && _table.StillAdmits(admission.Fence, token, policy.Admission);
        if (mayGoAgain || (_place.Flaw == Flaw.SendsAgain && end == ServiceEnd.InDoubt))
        {
            var left = Times.Write - clock.GetElapsedTime(ticket.AdmittedAt);
            var wasLeft = IsLeft(end);
            end = left > TimeSpan.Zero ? await SendAsync(request, ticket, left) : end;
            end = wasLeft && end == ServiceEnd.NotSent ? ServiceEnd.InDoubt : end;
        }

        if (ticket.TryEnd() && end == ServiceEnd.InDoubt && _place.Flaw != Flaw.DoubtIsAnEnd)
        {
            admission.Fence.EndInDoubt(token, policy.InDoubtHold, clock);
        }
        else
        {
            admission.Fence.End(token);
        }

        return end switch
        {
            ServiceEnd.Answered => (200, null, null),
            ServiceEnd.NotSent => (502, "upstream-unreachable", null),
            _ => (504, "upstream-timeout", null),
        };
    }

    /// <summary>Sends it once. Each piece is looked at before it is handed over, and time passes before each.</summary>
    private async Task<ServiceEnd> SendAsync(SimulatedRequest request, WriteTicket ticket, TimeSpan atMost)
    {
        using var deadline = new CancellationTokenSource(atMost, Process.Clock);
        using var cut = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, ticket.SessionEnded);
        if (_place.ToService.IsCut && _place.Random.Next(2) == 0)
        {
            // No connection comes about.
            await Task.Delay(LongestPiece, Process.Clock);
            return ServiceEnd.NotSent;
        }

        var connection = _place.Connect(Process, request, () => ticket.MayGo);
        var pieces = _place.Random.Next(1, 4);
        for (var piece = 1; piece <= pieces; piece++)
        {
            await Task.Delay(_place.Random.Between(TimeSpan.Zero, LongestPiece), Process.Clock, cut.Token)
                .ConfigureAwait(
                    ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            if (_place.Flaw != Flaw.LooksOnce && (cut.IsCancellationRequested || !ticket.MayGo))
            {
                connection.Abort();
                return piece == 1 ? ServiceEnd.NotSent : ServiceEnd.InDoubt;
            }

            connection.HandOver(isLast: piece == pieces);
        }

        try
        {
            if (await connection.Answer.WaitAsync(cut.Token))
            {
                return ServiceEnd.Answered;
            }
        }
        catch (OperationCanceledException)
        {
            connection.Abort();
        }

        return ServiceEnd.InDoubt;
    }

    private async Task ShutDownAsync(Action gone)
    {
        IsListening = false;
        _table.Close();
        _stop.CancelHere();
        var deadline = Process.Clock.GetTimestamp() + (Times.Write + TimeSpan.FromSeconds(1)).Ticks;
        while (_open > 0 && Process.Clock.GetTimestamp() < deadline)
        {
            await Task.Delay(LongestPiece, Process.Clock);
        }

        try
        {
            await _table.WithdrawIdleAsync();
            await _client.CloseAsync(isClean: _table.CountActive() == (0, 0));
        }
        catch (TokenStoreUnavailableException)
        {
            // What it was registered for ends with its session.
        }

        Process.Kill();
        gone();
    }
}

/// <summary>What is known of a write at the service.</summary>
internal enum ServiceEnd
{
    Answered,
    NotSent,
    InDoubt,
}
