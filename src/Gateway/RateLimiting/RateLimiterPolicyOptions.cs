using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace FenceGateway.Gateway.RateLimiting;

[Description("A rate limit. A route picks one through its RateLimiterPolicy.")]
internal sealed class RateLimiterPolicyOptions
{
    [Description("How requests are counted. Concurrency bounds those in progress and has no window.")]
    public RateLimitType Type { get; set; } = RateLimitType.TokenBucket;

    [Description("Requests per window, or at once; of a token bucket also the largest burst.")]
    [Range(1, 100_000_000)]
    public int PermitLimit { get; set; } = 100;

    [Description("The time in which PermitLimit requests are let through.")]
    [Range(typeof(TimeSpan), "00:00:00.100", "1.00:00:00")]
    public TimeSpan Window { get; set; } = TimeSpan.FromSeconds(1);

    [Description("Parts of a sliding window; a request leaves the count with its part.")]
    [Range(2, 100)]
    public int SegmentsPerWindow { get; set; } = 8;

    [Description("Requests that may wait for a permit; more get 429.")]
    [Range(0, 100_000)]
    public int QueueLimit { get; set; }

    [Description("What has a limit of its own: ClientAddress, Tenant, Resource, Header:Name, Route:name, Query:name; "
        + "several combine. None: all requests share one.")]
    public List<string> PartitionBy { get; set; } = [];

    [Description("Partitions at once; new ones beyond this share one.")]
    [Range(1, 1_000_000)]
    public int MaxPartitions { get; set; } = 10_000;
}
