using System.Text.Json;

namespace FenceGateway.Gateway.Demo;

/// <summary>
/// The story of a lock that was lost without its holder noticing, played with real requests. The lock service is the
/// only part that is told instead of run: tokens 33, 34 and 35 are what it would have handed out.
/// </summary>
internal sealed class DemoStory(DemoScreen screen, DemoClient gateway, DemoService service, TimeProvider time)
{
    private const string Order = "/orders/42";
    private const int HoldSeconds = 3;
    private static readonly TimeSpan ArrivalLimit = TimeSpan.FromSeconds(10);

    /// <summary>Plays it up to its end or to the first step that goes otherwise.</summary>
    /// <returns>Whether all went as told.</returns>
    public async Task<bool> PlayAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await LockAsync(cancellationToken)
                && Pause()
                && await TakeOverAsync(cancellationToken)
                && await WakeUpAsync(cancellationToken)
                && await HoldBackAsync(cancellationToken);
        }
        catch (HttpRequestException e)
        {
            return screen.Verdict(asTold: false, "", $"no answer: {e.Message}");
        }
        catch (TaskCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return screen.Verdict(asTold: false, "", "no answer in time");
        }
    }

    private async Task<bool> LockAsync(CancellationToken cancellationToken)
    {
        screen.Title("1. A takes the lock and writes");
        screen.Text(
            "The lock service grants A the lock of order 42, with fencing token 33. A sends the token with its write.");
        var answer = await ExchangeAsync("A", new DemoRequest("PUT", Order, 33, "packed by A"), cancellationToken);
        return screen.Verdict(
            answer.Status == 200 && await ArrivedAsync(33, cancellationToken) is not null,
            "33 is the highest token seen for this order: forwarded, with the token.",
            "the write with 33 should have reached the service and got 200");
    }

    private bool Pause()
    {
        screen.Title("2. A pauses");
        screen.Text("A long garbage collection stops A. Its lease expires, and A cannot notice: it does not run.");
        return true;
    }

    private async Task<bool> TakeOverAsync(CancellationToken cancellationToken)
    {
        screen.Title("3. B takes over and writes");
        screen.Text("The lock is free again. The lock service grants it to B, with the next token: 34.");
        var answer = await ExchangeAsync("B", new DemoRequest("PUT", Order, 34, "shipped by B"), cancellationToken);
        return screen.Verdict(
            answer.Status == 200 && await ArrivedAsync(34, cancellationToken) is not null,
            "34 is newer. The gateway has noted it on disk before it forwarded the write: 33 is stale from now on.",
            "the write with 34 should have reached the service and got 200");
    }

    private async Task<bool> WakeUpAsync(CancellationToken cancellationToken)
    {
        screen.Title("4. A wakes up, and its late write comes");
        screen.Text("A still believes that it holds the lock. Without a fence this write would undo what B did.");
        var late = await ExchangeAsync("A", new DemoRequest("PUT", Order, 33, "cancelled by A"), cancellationToken);
        var refused = late is { Status: 409, ContentType: "application/problem+json" }
            && TypeOf(late) == "urn:problem-type:fencegateway:fencing-token-stale"
            && !service.Writes.TryRead(out _);
        if (!screen.Verdict(
            refused,
            "Refused by the gateway (see Proxy-Status); the service never saw it.",
            "the late write with 33 should have got the gateway's 409 and should not have reached the service"))
        {
            return false;
        }

        screen.Text("Anybody may look:");
        var order = await ExchangeAsync("?", new DemoRequest("GET", Order), cancellationToken);
        return screen.Verdict(
            order.Status == 200 && ValueOf(order) == "shipped by B",
            "The order is as B left it.",
            "the order should still be as B left it");
    }

    private async Task<bool> HoldBackAsync(CancellationToken cancellationToken)
    {
        screen.Title("5. A write that hangs at the service holds the next holder back");
        screen.Text(
            $"B writes again and the service is slow: it takes {HoldSeconds} seconds. Meanwhile B loses the lock to C, "
                + "token 35.");
        screen.Text("Checking C's token is not enough now: B's write is past the check and would land after C's.");
        var slow = new DemoRequest("PUT", $"{Order}?hold={HoldSeconds}", 34, "address changed by B");
        var next = new DemoRequest("PUT", Order, 35, "closed by C");

        screen.Request("B", slow);
        var slowAnswer = gateway.SendAsync(slow, cancellationToken);
        if (await ArrivedAsync(34, cancellationToken) is not { } first)
        {
            return screen.Verdict(asTold: false, "", "B's write should have reached the service");
        }

        screen.Text("    ... B's write has reached the service and hangs there. C comes:");
        screen.Request("C", next);
        var nextAnswer = gateway.SendAsync(next, cancellationToken);
        var answers = await Task.WhenAll(slowAnswer, nextAnswer);
        screen.Response("B", answers[0]);
        screen.Response("C", answers[1]);
        return await JudgeOrderAsync(first, answers, cancellationToken);
    }

    private async Task<bool> JudgeOrderAsync(
        DemoWrite first, DemoResponse[] answers, CancellationToken cancellationToken)
    {
        if (answers is not [{ Status: 200 }, { Status: 200 }]
            || await ArrivedAsync(35, cancellationToken) is not { } second)
        {
            return screen.Verdict(asTold: false, "", "both writes should have reached the service and got 200");
        }

        var ended = await first.Ended;
        screen.Text("At the service, counted from the arrival of B's write:");
        screen.Text($"    {DemoScreen.Seconds(TimeSpan.Zero),8}  B's write arrives, token {first.Token}");
        screen.Text($"    {DemoScreen.Seconds(time.GetElapsedTime(first.Arrived, ended)),8}  B's write ends");
        screen.Text(
            $"    {DemoScreen.Seconds(time.GetElapsedTime(first.Arrived, second.Arrived)),8}  C's write arrives, token "
                + $"{second.Token}");
        if (!screen.Verdict(
            ended <= second.Arrived,
            "C was held back until B's write had ended. Seal, drain, forward: the two never overlapped.",
            "C's write should have arrived only after B's had ended"))
        {
            return false;
        }

        var order = await ExchangeAsync("?", new DemoRequest("GET", Order), cancellationToken);
        return screen.Verdict(
            order.Status == 200 && ValueOf(order) == "closed by C",
            "The last word is C's.",
            "the order should be as C left it");
    }

    private async Task<DemoResponse> ExchangeAsync(string who, DemoRequest request, CancellationToken cancellationToken)
    {
        screen.Request(who, request);
        var response = await gateway.SendAsync(request, cancellationToken);
        screen.Response(who, response);
        return response;
    }

    /// <summary>The next write at the service, if it comes in time and carries <paramref name="token"/>.</summary>
    private async Task<DemoWrite?> ArrivedAsync(int token, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(ArrivalLimit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            var write = await service.Writes.ReadAsync(either.Token);
            return write.Token == token.ToString() ? write : null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private static string? TypeOf(DemoResponse response) => Member(response, "type");

    private static string? ValueOf(DemoResponse response) => Member(response, "value");

    private static string? Member(DemoResponse response, string name)
    {
        try
        {
            using var json = JsonDocument.Parse(response.Body);
            return json.RootElement.TryGetProperty(name, out var value) ? value.GetString() : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
