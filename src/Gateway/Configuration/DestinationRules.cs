using System.Collections.Frozen;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.ClusterValidators;

namespace FenceGateway.Gateway.Configuration;

/// <summary>What an address of a service may be: YARP takes any text and fails each request instead.</summary>
internal sealed class DestinationRules : IClusterValidator
{
    public ValueTask ValidateAsync(ClusterConfig cluster, IList<Exception> errors)
    {
        foreach (var (id, destination) in cluster.Destinations ?? FrozenDictionary<string, DestinationConfig>.Empty)
        {
            Check(nameof(DestinationConfig.Address), destination.Address);
            Check(nameof(DestinationConfig.Health), destination.Health);

            void Check(string key, string? address)
            {
                if (!string.IsNullOrEmpty(address) && !IsAddress(address))
                {
                    errors.Add(
                        ReverseProxyRules.PathIn(cluster, nameof(ClusterConfig.Destinations), id, key),
                        $"is '{SecretText.Shown(address)}' where an address such as http://127.0.0.1:9001/ is "
                            + "expected");
                }
            }
        }

        return ValueTask.CompletedTask;
    }

    private static bool IsAddress(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri)
        && uri is
        { Scheme: "http" or "https", Host.Length: > 0, UserInfo.Length: 0, Query.Length: 0, Fragment.Length: 0 };
}
