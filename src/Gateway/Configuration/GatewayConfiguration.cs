using System.Collections.Frozen;
using FenceGateway.Gateway.Fencing;

namespace FenceGateway.Gateway.Configuration;

/// <summary>A configuration that was checked as a whole. Immutable; a reload makes a new one.</summary>
/// <param name="Options">The section <c>FenceGateway</c>.</param>
/// <param name="FencingPolicies">The policies by name, case aside.</param>
/// <param name="Routes">How many routes YARP has.</param>
/// <param name="Clusters">How many clusters YARP has.</param>
internal sealed record GatewayConfiguration(
    GatewayOptions Options, FrozenDictionary<string, FencingPolicy> FencingPolicies, int Routes, int Clusters);
