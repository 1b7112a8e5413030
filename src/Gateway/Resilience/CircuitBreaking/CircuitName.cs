namespace FenceGateway.Gateway.Resilience.CircuitBreaking;

/// <summary>Whose circuit it is.</summary>
/// <param name="Cluster">YARP's cluster.</param>
/// <param name="Destination">A destination of the cluster.</param>
/// <param name="Policy">The resilience policy that asks for it.</param>
internal sealed record CircuitName(string Cluster, string Destination, string Policy);
