using System.Diagnostics.Metrics;
using FenceGateway.Simulation.Kernel;

namespace FenceGateway.Simulation.Parts;

/// <summary>
/// Where a gateway of the fleet lives, life after life: its links, and the configuration that is in force.
/// </summary>
internal sealed class GatewayPlace(
    Scheduler scheduler, Random random, Flaw flaw, ISharedStore store, SimulatedService service)
{
    public required string Name { get; init; }

    public required LinkGroup ToStore { get; init; }

    public required Link ToService { get; init; }

    public required IMeterFactory Meters { get; init; }

    /// <summary>A task of the gateway has failed, which none may.</summary>
    public required Action<Exception> Failed { get; init; }

    public PolicyRules Rules { get; set; } = PolicyRules.First(flaw);

    public Random Random => random;

    public Flaw Flaw => flaw;

    public ISharedStore Store => store;

    /// <summary>The gateway that lives, or the last one that did.</summary>
    public SimulatedGateway? Gateway { get; set; }

    /// <summary>Whether it is up and running.</summary>
    public bool IsUp => Gateway is { IsListening: true, Process: { IsAlive: true, IsStopped: false } };

    public ServiceConnection Connect(SimulatedProcess process, SimulatedRequest request, Func<bool> mayGo) =>
        new(process, scheduler, ToService, service, Times.InDoubtHold, flaw)
        {
            RequestId = request.Id,
            Resource = request.Resource,
            Token = request.Token,
            MayGo = mayGo,
        };
}
