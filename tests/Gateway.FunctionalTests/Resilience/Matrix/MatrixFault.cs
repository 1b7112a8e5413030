using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.Matrix;

/// <summary>
/// A fault that hits the service once: the next request, or the next connection. Afterwards it is healthy again.
/// </summary>
/// <param name="Name">As in the table.</param>
/// <param name="Request">What happens to a request that arrives.</param>
internal sealed record MatrixFault(string Name, Fault Request)
{
    public static readonly IReadOnlyList<MatrixFault> All =
    [
        new("never answers", Fault.NeverAnswers) { Hangs = Hang.BeforeTheHead },
        new("refuses connections", Fault.None) { BeginAsync = s => Do(s.Die) },
        new("connecting takes forever", Fault.None)
        {
            Hangs = Hang.Connecting,
            BeginAsync = async s =>
            {
                s.Die();
                await s.OverflowAsync();
            },
        },
        new("resets unread", Fault.None)
        {
            BeginAsync = s => Do(() =>
            {
                var fault = s.ConnectionCount + 1;
                s.Die();
                s.Connections = number => number == fault ? ConnectionFault.ResetUnread : ConnectionFault.None;
                s.ComeBack();
            }),
        },
        new("resets after the head", Fault.ResetAfterHead),
        new("resets after the request", Fault.ResetAfterRequest),
        new("closes after the request", Fault.ClosedAfterRequest),
        new("half a head", Fault.HalfHead),
        new("garbage", Fault.Garbage),
        new("resets in the answer", Fault.ResetInAnswer) { IsInTheBody = true, Steps = 1 },
        new("half an answer", Fault.HalfAnswer) { IsInTheBody = true, Steps = 1 },
        new("chunks cut off", Fault.CutChunks) { IsInTheBody = true, Steps = 1 },
        new("chunks without an end", Fault.EndlessChunks) { IsInTheBody = true, Hangs = Hang.InTheBody },
        new("slow first byte", Fault.SlowFirstByte) { Steps = 1 },
        new("slow body", Fault.SlowBody) { IsInTheBody = true, Steps = 3 },
        new("503 with Retry-After", Fault.Unavailable(1)),
        new("503, later than retries wait", Fault.Unavailable(60)),
        new("died and came back", Fault.None)
        {
            BeginAsync = s => Do(() =>
            {
                s.Die();
                s.ComeBack();
            }),
        },
    ];

    /// <summary>Where it takes time to pass until somebody gives up.</summary>
    public Hang Hangs { get; init; }

    /// <summary>How often the service waits for the test.</summary>
    public int Steps { get; init; }

    /// <summary>Whether it begins with the first part of the answer, so that a client sees that.</summary>
    public bool IsInTheBody { get; init; }

    /// <summary>What happens before the request comes.</summary>
    public Func<FaultyService, Task> BeginAsync { get; init; } = _ => Task.CompletedTask;

    public override string ToString() => Name;

    private static Task Do(Action action)
    {
        action();
        return Task.CompletedTask;
    }
}

internal enum Hang
{
    Nowhere,
    Connecting,
    BeforeTheHead,
    InTheBody,
}
