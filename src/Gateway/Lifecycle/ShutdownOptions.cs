using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace FenceGateway.Gateway.Lifecycle;

internal sealed class ShutdownOptions
{
    [Description("How long requests are still served after SIGTERM while readyz already answers 503.")]
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan Delay { get; set; } = TimeSpan.Zero;

    [Description("How long requests that are in flight may take to end after the listeners were closed.")]
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);
}
