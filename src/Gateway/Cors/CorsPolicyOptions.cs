using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace FenceGateway.Gateway.Cors;

[Description("Which pages of other origins may call a route, by the rules of CORS. A route picks one "
    + "through its CorsPolicy.")]
internal sealed class CorsPolicyOptions
{
    [Description("Origins whose pages may call: https://shop.example, https://*.shop.example for all "
        + "below it, or * for every one.")]
    public List<string> AllowedOrigins { get; set; } = [];

    [Description("Methods that a page may use; * for every one.")]
    public List<string> AllowedMethods { get; set; } = ["*"];

    [Description("Headers that a page may send, such as Fencing-Token; * for every one.")]
    public List<string> AllowedHeaders { get; set; } = ["*"];

    [Description("Headers of an answer that a page may read, besides those that it always may.")]
    public List<string> ExposedHeaders { get; set; } = ["Proxy-Status", "Retry-After", "RateLimit", "RateLimit-Policy"];

    [Description("Whether a page may send cookies and other credentials of its user. Needs origins by name.")]
    public bool AllowCredentials { get; set; }

    [Description("How long a browser may keep the answer to a preflight. None: as long as it likes, 5 s "
        + "by the standard.")]
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan? MaxAge { get; set; }
}
