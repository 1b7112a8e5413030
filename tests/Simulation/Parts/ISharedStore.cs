using FenceGateway.Simulation.Kernel;
using FenceGateway.TokenStore;

namespace FenceGateway.Simulation.Parts;

/// <summary>The token store that all gateways of a run share.</summary>
internal interface ISharedStore
{
    /// <summary>So many links lead there from each gateway.</summary>
    int Nodes { get; }

    /// <summary>A gateway's client of it.</summary>
    ITokenStore Connect(GatewayPlace place, SimulatedProcess process);

    /// <summary>The highest mark of a resource that was ever durable.</summary>
    long DurableMark(string resource);

    /// <summary>It, or some of it, stands still.</summary>
    void Stop();

    void Resume();

    /// <summary>It dies, and comes back with what was durable.</summary>
    void Crash();
}
