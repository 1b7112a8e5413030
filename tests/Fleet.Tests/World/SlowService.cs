using FenceGateway.TestKit;

namespace FenceGateway.Fleet.Tests.World;

/// <summary>
/// A service that takes its time over each request, and ends it whether or not the gateway is still there; now and then it
/// answers with a reset, applied or not.
/// </summary>
internal sealed class SlowService : IAsyncDisposable
{
    private static readonly Uri EndOfService = new("end", UriKind.Relative);

    private readonly JournalService _journal;
    private Task _serving = Task.CompletedTask;

    private SlowService(JournalService journal)
    {
        _journal = journal;
        _journal.Script = _ => ServiceAction.Hold;
    }

    public EventClock Clock => _journal.Clock;

    public Uri Address => _journal.Address;

    public IReadOnlyList<ServiceWrite> Writes => _journal.Writes;

    public static async Task<SlowService> StartAsync(Random random)
    {
        var service = new SlowService(await JournalService.StartAsync());
        service._serving = service.ServeAsync(random);
        return service;
    }

    /// <summary>Completes when everything that has arrived so far has ended.</summary>
    public async Task EndAsync()
    {
        using var client = new HttpClient { BaseAddress = Address };
        using var response = await client.GetAsync(EndOfService);
        await _serving;
    }

    public ValueTask DisposeAsync() => _journal.DisposeAsync();

    private async Task ServeAsync(Random random)
    {
        List<Task> open = [];
        while (true)
        {
            var arrival = await _journal.NextArrivalAsync();
            if (arrival.Entry.Resource == $"/{EndOfService}")
            {
                arrival.Release();
                await Task.WhenAll(open);
                return;
            }

            _ = open.RemoveAll(t => t.IsCompletedSuccessfully);
            open.Add(EndAsync(arrival, TimeSpan.FromMilliseconds(random.Next(FleetTimes.MaxServiceMs)), random.Next(1000)));
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
