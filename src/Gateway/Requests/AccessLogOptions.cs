using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace FenceGateway.Gateway.Requests;

[Description("The line that is logged for each request.")]
internal sealed class AccessLogOptions
{
    [Description("Share of the answered requests that are logged, at random; 0 logs none of them. "
        + "The gateway's own answers, those of 499 and more, and whatever the fence has an objection to "
        + "are logged always.")]
    [Range(0.0, 1.0)]
    public double SamplingRatio { get; set; } = 1;
}
