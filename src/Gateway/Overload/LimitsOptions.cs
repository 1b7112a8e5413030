using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace FenceGateway.Gateway.Overload;

[Description("What the gateway takes at once. Sizes, times and rates of single requests are in Kestrel:Limits.")]
internal sealed class LimitsOptions
{
    [Description("Connections of clients; further ones are closed at once. Needs a restart.")]
    [Range(1, 1_000_000)]
    public int MaxConnections { get; set; } = 16_384;

    [Description("Requests in progress; further ones get 503 before anything else is done with them.")]
    [Range(1, 1_000_000)]
    public int MaxInFlight { get; set; } = 4096;

    [Description("When a client that was turned away should try again.")]
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan RetryAfter { get; set; } = TimeSpan.FromSeconds(1);
}
