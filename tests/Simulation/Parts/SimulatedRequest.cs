namespace FenceGateway.Simulation.Parts;

internal sealed record SimulatedRequest(string Id, string Resource, long Token, bool IsWrite);
