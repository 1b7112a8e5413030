namespace FenceGateway.TestKit;

/// <summary>
/// What a <see cref="FaultyService"/> does with a request. Those that have a whole request apply it first, so that a
/// second send would be a second effect.
/// </summary>
/// <param name="Name">For tables and messages.</param>
/// <param name="Behave">Does it; true when the connection can carry another request.</param>
public sealed record Fault(string Name, Func<FaultyExchange, Task<bool>> Behave)
{
    /// <summary>None: applied and answered with 200.</summary>
    public static readonly Fault None = Answers(200);

    /// <summary>The whole request is read and applied; nothing is ever answered.</summary>
    public static readonly Fault NeverAnswers = Applied("never answers", e => e.PeerGoneAsync());

    /// <summary>Reset when the head has arrived; the body is not read and nothing is applied.</summary>
    public static readonly Fault ResetAfterHead = new("reset after the head", e => Reset(e));

    /// <summary>Reset when all has arrived and was applied.</summary>
    public static readonly Fault ResetAfterRequest = Applied("reset after the request", e => Reset(e));

    /// <summary>Closed orderly, without an answer, when all has arrived and was applied.</summary>
    public static readonly Fault ClosedAfterRequest = Applied("closed after the request", e => e.CloseAsync());

    /// <summary>A head and half of its body, then a reset when the test says so.</summary>
    public static readonly Fault ResetInAnswer = Applied("reset in the answer", async e =>
    {
        await e.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
        await e.StepAsync();
        e.Reset();
    });

    /// <summary>
    /// A head that promises more than what comes before the connection is closed orderly, when the test says so.
    /// </summary>
    public static readonly Fault HalfAnswer = Applied("half an answer", async e =>
    {
        await e.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
        await e.StepAsync();
        await e.CloseAsync();
    });

    /// <summary>A chunked body without an end; the connection stays open.</summary>
    public static readonly Fault EndlessChunks = Applied("chunks without an end", async e =>
    {
        await e.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
        await e.PeerGoneAsync();
    });

    /// <summary>A chunked body that is cut off between two chunks, when the test says so.</summary>
    public static readonly Fault CutChunks = Applied("chunks cut off", async e =>
    {
        await e.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
        await e.StepAsync();
        await e.CloseAsync();
    });

    /// <summary>Half of a status line, then nothing.</summary>
    public static readonly Fault HalfHead = Applied("half a head", async e =>
    {
        await e.SendAsync("HTTP/1.1 200 OK\r\nContent-Le");
        await e.CloseAsync();
    });

    /// <summary>What comes back is not HTTP.</summary>
    public static readonly Fault Garbage = Applied("garbage", async e =>
    {
        await e.SendAsync("\u0016\u0003\u0001 this is not HTTP\r\n\r\n");
        await e.CloseAsync();
    });

    /// <summary>Applied at once, answered with 200 when the test says so.</summary>
    public static readonly Fault SlowFirstByte = new("slow first byte", async e =>
    {
        await e.ReadBodyAsync();
        e.Apply();
        await e.StepAsync();
        await e.AnswerAsync();
        return true;
    });

    /// <summary>The head and the first byte of four at once, each further byte when the test says so.</summary>
    public static readonly Fault SlowBody = new("slow body", async e =>
    {
        await e.ReadBodyAsync();
        e.Apply();
        await e.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ns");
        foreach (var next in "lo")
        {
            await e.StepAsync();
            await e.SendAsync($"{next}");
        }

        await e.StepAsync();
        e.Ends(200);
        await e.SendAsync("w");

        return true;
    });

    /// <summary>503 with <c>Retry-After</c>, without any effect.</summary>
    public static Fault Unavailable(int retryAfter) => new("503 with Retry-After", async e =>
    {
        await e.ReadBodyAsync();
        await e.AnswerAsync(503, "later", $"Retry-After: {retryAfter}");
        return true;
    });

    /// <summary>Answers with a status; below 400 it is applied.</summary>
    public static Fault Answers(int status, string body = "done") => new($"answers {status}", async e =>
    {
        await e.ReadBodyAsync();
        if (status < 400)
        {
            e.Apply();
        }

        await e.AnswerAsync(status, body);
        return true;
    });

    public override string ToString() => Name;

    private static Fault Applied(string name, Func<FaultyExchange, Task> behave) => new(name, async e =>
    {
        await e.ReadBodyAsync();
        e.Apply();
        await behave(e);
        return false;
    });

    private static Task<bool> Reset(FaultyExchange exchange)
    {
        exchange.Reset();
        return Task.FromResult(false);
    }
}
