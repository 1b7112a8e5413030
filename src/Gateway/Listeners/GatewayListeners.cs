using System.Text;

namespace FenceGateway.Gateway.Listeners;

/// <summary>The data listener's server: what the gateway sets, then the section <c>Kestrel</c>.</summary>
internal static class GatewayListeners
{
    /// <param name="host">Its configuration has the section.</param>
    /// <param name="connections">As many at once, unless the section says otherwise.</param>
    public static void UseGatewayListeners(this IWebHostBuilder host, int connections) =>
        host.UseKestrel((context, kestrel) =>
    {
        kestrel.AddServerHeader = false;

        // As the client of the service has read it: by itself the listener sends nothing that is not ASCII (RFC 9110,
        // 5.5: obs-text).
        kestrel.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;
        var section = context.Configuration.GetSection("Kestrel");
        KestrelLimits.Apply(kestrel, connections, section);
        kestrel.ApplicationServices.GetService<ServerCertificates>()?.Follow(kestrel);
        kestrel.Configure(section);
    });
}
