using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace FenceGateway.Gateway.Requests;

internal sealed class RequestOptions
{
    [Description("Header with an id of the request; made up where a request has none, and sent on to the service.")]
    [Required]
    public string CorrelationHeader { get; set; } = "X-Correlation-Id";

    [Description("Header that names the tenant in logs.")]
    [Required]
    public string TenantHeader { get; set; } = "X-Tenant-Id";

    [Description("Addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-… and Forwarded are believed: "
        + "X-Forwarded-For says who the client is, and the service gets them all, extended by the proxy's own address. "
        + "None: the client is who connects, and what it says is replaced.")]
    public List<string> TrustedProxies { get; set; } = [];
}
