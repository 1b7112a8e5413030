using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace FenceGateway.Gateway.Chaos;

[Description("Faults on demand, to see what clients and policies make of them. Needs the command line's --allow-chaos "
    + "as well.")]
internal sealed class ChaosOptions
{
    [Description("Whether the rules are in force, in a process that was started with --allow-chaos or "
        + "FENCEGATEWAY_ALLOW_CHAOS=true.")]
    public bool Enabled { get; set; }

    [Description("What is injected, by name. The rules of a route apply in the order of their names.")]
    public Dictionary<string, ChaosRuleOptions> Rules { get; set; } = new(StringComparer.OrdinalIgnoreCase);
}

[Description("What is injected into attempts to reach the service. Each part is drawn for itself, in the order "
    + "latency, fault, outcome.")]
internal sealed class ChaosRuleOptions
{
    [Description("The route's id, or * for every route.")]
    [Required]
    public string Route { get; set; } = "";

    [Description("The share of attempts that each part is injected into.")]
    [Range(0.0, 1.0)]
    public double InjectionRate { get; set; } = 0.01;

    [Description("How long an attempt waits before it is forwarded. null: no wait.")]
    [Range(typeof(TimeSpan), "00:00:00.001", "00:10:00")]
    public TimeSpan? Latency { get; set; }

    [Description("How the attempt fails instead of being forwarded.")]
    public ChaosFault Fault { get; set; }

    [Description("The status that is answered as the service's own, instead of forwarding. null: none.")]
    [Range(200, 599)]
    public int? Outcome { get; set; }

    [Description("Only requests that carry this header. null: all.")]
    public string? Header { get; set; }
}
