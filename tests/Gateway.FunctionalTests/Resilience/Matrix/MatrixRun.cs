using System.Text;
using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.Matrix;

/// <summary>
/// One gateway with one mechanism, and one faulty service behind it. Moves the clock where nothing else goes on.
/// </summary>
internal sealed class MatrixRun : IAsyncDisposable
{
    private const string Key = "one-key";
    private static readonly MatrixFault Healthy = new("healthy", Fault.None);

    private readonly Mechanism _mechanism;
    private readonly FaultyService _service = new();
    private Task<FaultyExchange> _arriving;
    private FaultyExchange? _faulted;
    private Task _headSeen = Task.CompletedTask;
    private int _lastId;

    private MatrixRun(Mechanism mechanism)
    {
        _mechanism = mechanism;
        _arriving = _service.NextArrivalAsync();
    }

    public FencedGateway Gateway { get; private set; } = null!;

    public MeterRecorder Meter { get; private set; } = null!;

    /// <summary>How often the latest request has arrived at the service.</summary>
    public int Sent => _service.Entries.Count(e => e.RequestId == $"{_lastId}");

    /// <summary>With one request behind it, so that there is a mark, and a connection that is used again.</summary>
    public static async Task<MatrixRun> StartAsync(Mechanism mechanism)
    {
        var run = new MatrixRun(mechanism);
        run.Gateway = await FencedGateway.StartAsync(mechanism.Setup, _ => run._service.Address);
        (await run.SendHealthyAsync("first")).ShouldBe("200");
        run.Meter = new MeterRecorder(run.Gateway);
        return run;
    }

    /// <summary>What the mechanism's instruments have counted, each with its closed tags.</summary>
    public string Counted => string.Join(
        ", ",
        Meter.All.Where(m => Mechanism.Instruments.ContainsKey(m.Instrument)).Select(
            m => Mechanism.Instruments[m.Instrument](m)));

    /// <summary>A request that the fault hits once. The answer in short.</summary>
    public async Task<string> SendFaultyAsync(MatrixFault fault)
    {
        var left = 1;
        _service.Script = _ => Interlocked.Decrement(ref left) >= 0 ? fault.Request : Fault.None;
        await fault.BeginAsync(_service);
        return await SendAsync(fault, Key);
    }

    /// <summary>A request when the fault is over. The answer in short.</summary>
    public Task<string> SendHealthyAsync(string key = Key)
    {
        _service.Script = _ => Fault.None;
        _service.Connections = _ => ConnectionFault.None;
        _service.ComeBack();
        return SendAsync(Healthy, key);
    }

    /// <summary>Whether the resource has a write in doubt.</summary>
    public async Task<bool> IsInDoubtAsync()
    {
        var resource = (await Gateway.AdminGetAsync("/admin/v1/resources/orders/1")).Json;
        resource.GetProperty("inFlight").GetInt32().ShouldBe(0, "in flight after its answer");
        return resource.GetProperty("inDoubt").GetArrayLength() > 0;
    }

    public async ValueTask DisposeAsync()
    {
        Meter?.Dispose();
        // The service first: what it still holds ends, and with it what the gateway would wait for.
        await _service.DisposeAsync();
        await Gateway.DisposeAsync();
    }

    private async Task<string> SendAsync(MatrixFault fault, string key)
    {
        using var request =
            new HttpRequestMessage(_mechanism.Method, "/orders/1") { Content = new StringContent("body") };
        request.Headers.Add("Fencing-Token", "33");
        request.Headers.Add(JournalService.RequestIdHeader, $"{++_lastId}");
        if (_mechanism.HasKey)
        {
            request.Headers.Add("Idempotency-Key", $"\"{key}\"");
        }

        _faulted = null;
        // Armed when the head of the answer is there; asked for before, for the clock may have moved on afterwards.
        _headSeen = fault.Hangs == Hang.InTheBody
            ? Gateway.Clock.WaitForTimerAsync(Mechanism.Total)
            : Task.CompletedTask;
        var sending = Gateway.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await PassTimeAsync(sending, fault);
        using var response = await sending;
        var answer = await ReadAsync(response, fault);
        // A client may see the last byte before the gateway is done with the request.
        _ = await Gateway.WaitForStatusAsync($"{_lastId}");
        return answer;
    }

    /// <summary>Does what the gateway or the service waits for, until the head of the answer is there.</summary>
    private async Task PassTimeAsync(Task answering, MatrixFault fault)
    {
        var connecting = fault.Hangs == Hang.Connecting
            ? Gateway.Clock.WaitForTimerAsync(_mechanism.Patience(fault.Hangs))
            : answering;
        var waiting = _mechanism.Retries
            ? Gateway.Clock.WaitForTimerWithinAsync(Mechanism.LongestRetryDelay)
            : answering;
        var retries = 0;
        while (await Task.WhenAny(answering, _arriving, waiting, connecting) is var next && next != answering)
        {
            if (next == connecting)
            {
                connecting = answering;
                await ProbeAsync();
                Gateway.Clock.Advance(_mechanism.Patience(Hang.Connecting));
            }
            else if (next == waiting)
            {
                EndBetweenAttempts(ref retries);
                Gateway.Clock.Advance(Gateway.Clock.NextTimer!.Value);
                waiting = Gateway.Clock.WaitForTimerWithinAsync(Mechanism.LongestRetryDelay);
            }
            else
            {
                await TakeArrivalAsync(fault);
            }
        }
    }

    /// <summary>The fault hits once: what it does to new connections ends before the second attempt.</summary>
    private void EndBetweenAttempts(ref int retries)
    {
        var now = Meter?.Of("fencegateway.retries").Count ?? 0;
        if (now > retries)
        {
            retries = now;
            _service.ComeBack();
        }
    }

    private async Task TakeArrivalAsync(MatrixFault fault)
    {
        var arrival = await _arriving;
        _arriving = _service.NextArrivalAsync();
        if (_faulted is not null || arrival.Fault != fault.Request)
        {
            return;
        }

        _faulted = arrival;
        if (fault.Hangs == Hang.BeforeTheHead)
        {
            await arrival.WaitForBodyAsync();
            await GoOnAsync(fault, arrival);
        }
        else if (fault.Request == Fault.SlowFirstByte || _mechanism.KeepsAnswers)
        {
            await GoOnAsync(fault, arrival);
        }
    }

    private async Task<FaultyExchange> FaultedAsync(MatrixFault fault)
    {
        while (_faulted is null)
        {
            await TakeArrivalAsync(fault);
        }

        return _faulted;
    }

    /// <summary>Nothing happens by itself any more: time passes, or the service takes its next steps.</summary>
    private async Task GoOnAsync(MatrixFault fault, FaultyExchange arrival)
    {
        if (fault.Hangs == Hang.InTheBody && _mechanism.HasTimeouts)
        {
            await _headSeen;
        }

        if (fault.Hangs != Hang.Nowhere || fault.Steps > 0)
        {
            await ProbeAsync();
        }

        if (fault.Hangs != Hang.Nowhere)
        {
            Gateway.Clock.Advance(_mechanism.Patience(fault.Hangs));
        }

        for (var step = 0; step < fault.Steps; step++)
        {
            arrival.Release();
        }
    }

    /// <summary>While a request is at the service and waits.</summary>
    private async Task ProbeAsync()
    {
        if (_mechanism.IsProbed)
        {
            var answer = await Gateway.PutAsync(33, "/orders/2");
            answer.ShouldBeProblem(503, "bulkhead-full");
            answer.RetryAfter.ShouldBe(1);
        }
    }

    /// <summary>Status, the problem's type, when to try again, and whether the answer was cut off.</summary>
    private async Task<string> ReadAsync(HttpResponseMessage response, MatrixFault fault)
    {
        var (text, isWhole) = await ReadBodyAsync(await response.Content.ReadAsStreamAsync(), fault);
        var answer = new Answer(
            (int)response.StatusCode,
            text,
            response.Headers.Concat(response.Content.Headers).ToDictionary(
                h => h.Key, h => h.Value.First(), StringComparer.OrdinalIgnoreCase));
        var problem = answer.Problem is { } type ? $" {type}" : "";
        var after = answer.RetryAfter is { } seconds ? $" after {seconds}" : "";
        var replayed = answer.Headers.ContainsKey("Idempotency-Replayed") ? " replayed" : "";
        return $"{answer.Status}{problem}{after}{replayed}{(isWhole ? "" : " cut off")}";
    }

    private async Task<(string Text, bool IsWhole)> ReadBodyAsync(Stream body, MatrixFault fault)
    {
        var buffer = new byte[4096];
        var length = 0;
        try
        {
            while (await body.ReadAsync(buffer.AsMemory(length)) is > 0 and var count)
            {
                if (length == 0 && fault.IsInTheBody && !_mechanism.KeepsAnswers)
                {
                    await GoOnAsync(fault, await FaultedAsync(fault));
                }

                length += count;
            }

            return (Encoding.UTF8.GetString(buffer, 0, length), true);
        }
        catch (IOException)
        {
            return (Encoding.UTF8.GetString(buffer, 0, length), false);
        }
    }
}
