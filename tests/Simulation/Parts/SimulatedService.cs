using FenceGateway.Simulation.Kernel;
using FenceGateway.TestKit;

namespace FenceGateway.Simulation.Parts;

/// <summary>
/// The service behind the gateways. It begins with a write when all of it is there, mostly applies it soon, sometimes
/// goes on after its connection is gone, loses it, or hangs for as long as its gateway waits. What it still applies
/// when nobody waits any more it applies within <c>InDoubtHold</c> from then on: that is what no gateway can enforce.
/// </summary>
internal sealed class SimulatedService(Scheduler scheduler, Random random, EventClock clock, TimeSpan inDoubtHold)
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(15);
    private static readonly TimeSpan LooksEvery = TimeSpan.FromMilliseconds(20);

    /// <summary>Clocks run apart a little.</summary>
    private readonly TimeSpan _hold = inDoubtHold * 0.9;

    public List<ServiceWrite> Writes { get; } = [];

    /// <summary>
    /// Of a hundred writes so many are slow, as many lose their connection, and as many hang until their gateway gives
    /// up.
    /// </summary>
    public int Trouble { get; set; }

    /// <summary>All of a write has arrived.</summary>
    /// <param name="write">The write.</param>
    /// <param name="handedOver">When the last of it was handed to the kernel.</param>
    public void Take(ServiceConnection write, long handedOver)
    {
        var at = Writes.Count;
        Writes.Add(
            new ServiceWrite(write.RequestId, write.Resource, write.Token, clock.Next(), AppliedAt: null, Ended: null));
        if (random.Next(100) is var kind && kind < 2 * Trouble)
        {
            if (kind < Trouble)
            {
                write.Break();
            }

            scheduler.At(
                random.NextInt64(scheduler.Now, Math.Max(scheduler.Now, handedOver + _hold.Ticks) + 1),
                () => End(at, write, isApplied: true));
        }
        else if (kind < 3 * Trouble)
        {
            Hang(at, write, handedOver, random.NextDouble() * _hold);
        }
        else
        {
            scheduler.After(random.Between(TimeSpan.Zero, Soon), () => End(at, write, isApplied: true));
        }
    }

    private void Hang(int at, ServiceConnection write, long lastAwaited, TimeSpan then)
    {
        lastAwaited = write.IsAwaited ? scheduler.Now : lastAwaited;
        if (scheduler.Now < lastAwaited + then.Ticks || lastAwaited == scheduler.Now)
        {
            scheduler.After(LooksEvery, () => Hang(at, write, lastAwaited, then));
        }
        else
        {
            End(at, write, isApplied: random.Next(2) == 0);
        }
    }

    private void End(int at, ServiceConnection write, bool isApplied)
    {
        Writes[at] = Writes[at] with { AppliedAt = isApplied ? clock.Next() : null, Ended = clock.Next() };
        write.Reply();
    }
}
