using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests.World;

/// <summary>
/// A service that takes its time over each request, and ends it whether or not the gateway is still there; now and then
/// it answers with a reset, applied or not.
/// </summary>
internal sealed class SlowService : IAsyncDisposable
{
    /// <summary>
    /// Far less than any hold, so that a loaded machine does not turn an honest history into a violation.
    /// </summary>
    private const int LongestMs = 40;

    private readonly JournalService _journal;

    private SlowService(JournalService journal)
    {
        _journal = journal;
        _journal.Script = _ => ServiceAction.Hold;
    }

    public EventClock Clock => _journal.Clock;

    public Uri Address => _journal.Address;

    public IReadOnlyList<ServiceWrite> Writes => _journal.Writes;

    /// <summary>Starts it; it serves until it is disposed.</summary>
    public static async Task<SlowService> StartAsync(Random random)
    {
        var service = new SlowService(await JournalService.StartAsync());
        _ = service.ServeAsync(random);
        return service;
    }

    public ValueTask DisposeAsync() => _journal.DisposeAsync();

    private async Task ServeAsync(Random random)
    {
        while (true)
        {
            var arrival = await _journal.NextArrivalAsync(Timeout.InfiniteTimeSpan);
            _ = EndAsync(arrival, TimeSpan.FromMilliseconds(random.Next(LongestMs)), random.Next(1000));
        }
    }

    private static async Task EndAsync(ServiceArrival arrival, TimeSpan after, int how)
    {
        await Task.Delay(after, TimeProvider.System);
        if (how < 2 && !arrival.Entry.Resource.Contains("only", StringComparison.Ordinal))
        {
            arrival.Reset(applied: how == 0);
        }
        else
        {
            arrival.Release();
        }

        await arrival.WaitForEndAsync();
    }
}
