namespace FenceGateway.Simulation.Kernel;

/// <summary>What a link does to the messages on it.</summary>
/// <param name="Loss">The part of the messages that is lost.</param>
/// <param name="Repeats">The part that arrives twice.</param>
/// <param name="Late">The part that arrives much later, after others that were sent afterwards.</param>
internal readonly record struct LinkQuality(double Loss, double Repeats, double Late)
{
    public static readonly LinkQuality Good = new(0, 0, 0);
}

/// <summary>A link between two parts of the run. One that is cut loses what is in flight.</summary>
internal sealed class Link(Scheduler scheduler, Random random, LinkQuality quality)
{
    private static readonly TimeSpan Fastest = TimeSpan.FromMicroseconds(50);
    private static readonly TimeSpan Usual = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan Latest = TimeSpan.FromSeconds(2);

    private readonly List<Action> _waiting = [];
    private int _cuts;

    public LinkQuality Quality { get; set; } = quality;

    public bool IsCut { get; private set; }

    public TimeSpan Delay => random.Between(Fastest, Usual);

    public void Cut()
    {
        IsCut = true;
        _cuts++;
    }

    public void Heal()
    {
        IsCut = false;
        foreach (var wake in _waiting)
        {
            wake();
        }

        _waiting.Clear();
    }

    /// <summary>Sends a message that may be lost, and may arrive late or twice.</summary>
    public void Send(Action arrive)
    {
        if (IsCut || random.Chance(Quality.Loss))
        {
            return;
        }

        Carry(arrive);
        if (random.Chance(Quality.Repeats))
        {
            Carry(arrive);
        }
    }

    /// <summary>As soon as it is not cut any more.</summary>
    public void WhenHealed(Action action) => _waiting.Add(action);

    private void Carry(Action arrive)
    {
        var cuts = _cuts;
        var delay = random.Chance(Quality.Late) ? random.Between(Usual, Latest) : Delay;
        scheduler.After(delay, () =>
        {
            if (cuts == _cuts)
            {
                arrive();
            }
        });
    }
}
