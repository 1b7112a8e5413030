namespace FenceGateway.Simulation.Kernel;

/// <summary>All links from one part of the run to the nodes of another.</summary>
internal sealed class LinkGroup(IReadOnlyList<Link> links)
{
    public IReadOnlyList<Link> Links => links;

    public void Cut()
    {
        foreach (var link in links)
        {
            link.Cut();
        }
    }

    public void Heal()
    {
        foreach (var link in links)
        {
            link.Heal();
        }
    }

    /// <summary>From now on nothing is lost, late or repeated.</summary>
    public void MakeGood()
    {
        foreach (var link in links)
        {
            link.Quality = LinkQuality.Good;
        }
    }
}
