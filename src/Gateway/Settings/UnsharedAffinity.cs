using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Stores;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Settings;

/// <summary>Finds session affinity that the gateways of a fleet cannot share.</summary>
internal static class UnsharedAffinity
{
    /// <summary>Policies whose keys are encrypted with keys of the machine (ASP.NET's data protection).</summary>
    private static readonly string[] EncryptedAffinity = ["Cookie", "CustomHeader"];

    public static IEnumerable<ConfigProblem> Of(GatewayConfiguration configuration) =>
        configuration.Options.TokenStore.Provider.IsShared() ? configuration.Clusters.SelectMany(Of) : [];

    private static IEnumerable<ConfigProblem> Of(ClusterConfig cluster)
    {
        if (cluster.SessionAffinity is { Enabled: true, Policy: { } policy }
            && EncryptedAffinity.Contains(policy, StringComparer.OrdinalIgnoreCase))
        {
            yield return new(
                ReverseProxyRules.PathIn(cluster, nameof(cluster.SessionAffinity), "Policy"),
                $"is '{policy}', which encrypts its key with keys of this machine: another gateway of the fleet cannot "
                + "read it and chooses a destination anew; HashCookie and ArrCookie mean the same to every gateway");
        }
    }
}
