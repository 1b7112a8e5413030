using System.Globalization;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FenceGateway.Gateway.Listeners;

/// <summary>
/// Bounds what Kestrel itself does not bound or bounds too loosely for a gateway, then applies the section
/// <c>Kestrel</c>, which has the last word. Sizes, times, rates and streams are bounded by Kestrel's own defaults; a
/// test holds that.
/// </summary>
internal static class KestrelLimits
{
    /// <summary>
    /// What Kestrel reads ahead of whoever consumes a request, for each connection. Its own default of 1 MiB would be
    /// gigabytes with a few thousand uploads that wait for a service; a fast upload is as fast with this.
    /// </summary>
    private const long RequestBuffer = 128 * 1024;

    /// <exception cref="InvalidOperationException">A value of the section is no good; the message says
    /// which.</exception>
    public static void Apply(KestrelServerOptions kestrel, int connections, IConfigurationSection section)
    {
        var limits = kestrel.Limits;
        limits.MaxConcurrentConnections = connections;
        // Kestrel does not count a connection as such any more once it was upgraded.
        limits.MaxConcurrentUpgradedConnections = connections;
        limits.MaxRequestBufferSize = RequestBuffer;
        section.Bind(kestrel);

        // Kestrel does not start with a buffer that cannot hold the largest head.
        var head = Math.Max(limits.MaxRequestLineSize, limits.MaxRequestHeadersTotalSize);
        limits.MaxRequestBufferSize = limits.MaxRequestBufferSize is { } buffer ? Math.Max(buffer, head) : null;

        // The binder leaves an existing rate as it is: it is immutable.
        limits.MinRequestBodyDataRate = ReadRate(
            section, nameof(limits.MinRequestBodyDataRate), limits.MinRequestBodyDataRate);
        limits.MinResponseDataRate = ReadRate(section, nameof(limits.MinResponseDataRate), limits.MinResponseDataRate);
    }

    private static MinDataRate? ReadRate(IConfigurationSection section, string name, MinDataRate? byDefault)
    {
        var rate = section.GetSection($"Limits:{name}");
        if (!rate.GetChildren().Any())
        {
            return byDefault;
        }

        var (bytes, grace) = (rate[nameof(MinDataRate.BytesPerSecond)], rate[nameof(MinDataRate.GracePeriod)]);
        try
        {
            return new MinDataRate(
                bytes is null ? byDefault!.BytesPerSecond : double.Parse(bytes, CultureInfo.InvariantCulture),
                grace is null ? byDefault!.GracePeriod : TimeSpan.Parse(grace, CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            throw new InvalidOperationException($"The rate at '{rate.Path}' is no good: {e.Message}", e);
        }
    }
}
