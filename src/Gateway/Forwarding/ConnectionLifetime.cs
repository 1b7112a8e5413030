using System.Globalization;
using FenceGateway.Gateway.Configuration;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.ClusterValidators;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// How long a connection to a cluster's services takes new requests. After that they go over a new one, for which the
/// name is looked up anew; what is in flight on the old one ends there.
/// </summary>
internal sealed class ConnectionLifetime : IClusterValidator
{
    /// <summary>The key in a cluster's <c>Metadata</c>: a duration, 1 second to 1 day; default 5 minutes.</summary>
    public const string MetadataKey = "ConnectionLifetime";

    private static readonly TimeSpan Default = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    public static TimeSpan Of(IReadOnlyDictionary<string, string>? metadata) =>
        metadata is not null && metadata.TryGetValue(MetadataKey, out var text) && TryRead(text, out var lifetime)
            ? lifetime
            : Default;

    public ValueTask ValidateAsync(ClusterConfig cluster, IList<Exception> errors)
    {
        if (cluster.Metadata is { } metadata && metadata.TryGetValue(MetadataKey, out var text)
            && !TryRead(text, out _))
        {
            errors.Add(
                ReverseProxyRules.PathIn(cluster, nameof(cluster.Metadata), MetadataKey),
                $"is '{text}' where a duration from {Shortest} to {Longest} is expected, such as {Default}");
        }

        return ValueTask.CompletedTask;
    }

    private static bool TryRead(string text, out TimeSpan lifetime) =>
        TimeSpan.TryParseExact(text, "c", CultureInfo.InvariantCulture, out lifetime)
        && lifetime >= Shortest && lifetime <= Longest;
}
