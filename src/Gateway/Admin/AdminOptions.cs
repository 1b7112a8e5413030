using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace FenceGateway.Gateway.Admin;

internal sealed class AdminOptions
{
    [Description("Address of the admin listener. It has no authentication: keep it on a loopback or private address. "
        + "Needs a restart.")]
    [Required]
    public string Url { get; set; } = "http://127.0.0.1:8081";

    [Description("Names by which the admin listener may be asked for, besides localhost and IP addresses: so that no "
        + "web page can lead a browser here by a name of its own. Needs a restart.")]
    public List<string> Hosts { get; set; } = [];
}
