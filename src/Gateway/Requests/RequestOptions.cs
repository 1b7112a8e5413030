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

    [Description("Addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-For is believed. None: the client is who connects.")]
    public List<string> TrustedProxies { get; set; } = [];
}
