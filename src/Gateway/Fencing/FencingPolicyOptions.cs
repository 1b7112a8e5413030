using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace FenceGateway.Gateway.Fencing;

[Description("A fencing policy.")]
internal sealed class FencingPolicyOptions
{
    [Description("Template of the resource's key: orders/{id}. Placeholders: {name} (value of the route's path), "
        + "{query:name}, {header:Name}, {host}.")]
    [Required]
    public string Resource { get; set; } = "";

    [Description("The header with the token. The service gets the token in it, whichever header the client used.")]
    [Required]
    public string Header { get; set; } = "Fencing-Token";

    [Description("Other headers that a client may use for the token. They are not forwarded.")]
    public List<string> HeaderAliases { get; set; } = [];

    [Description("Enforce: refuse stale writes. Report: evaluate, log and count what would be refused, forward "
        + "everything. Off: do nothing.")]
    public FencingMode Mode { get; set; } = FencingMode.Enforce;

    [Description("A write without a token. Reject: 428. Allow: forward it unfenced (weaker).")]
    public MissingTokenAction MissingToken { get; set; } = MissingTokenAction.Reject;

    [Description("A newer token. Drain: wait until older writes have ended. Seal: do not wait; an older write may "
        + "still land later (weaker).")]
    public FenceBarrier Barrier { get; set; } = FenceBarrier.Drain;

    [Description("How long a newer token waits for older writes before it gets 503.")]
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(5);

    [Description("How long a write whose end is unknown still counts as in flight. Longer than the service may need to "
        + "finish a write that it was left alone with.")]
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan InDoubtHold { get; set; } = TimeSpan.FromSeconds(10);

    [Description("Answers of the service that do not end a write, because whoever gave them does not know what became "
        + "of it: it is in doubt then. 502 and 504 of a proxy behind this one; add 503 where that is an Envoy.")]
    [Range(400, 599)]
    public List<int> InDoubtStatuses { get; set; } = [502, 504];

    [Description("Absolute deadline of a forwarded write, upload and answer included.")]
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan WriteTimeout { get; set; } = TimeSpan.FromSeconds(30);

    [Description("A read with a token. Advance: fenced like a write, it advances the mark. Ignore: reads are never "
        + "fenced (weaker).")]
    public FencedReads Reads { get; set; } = FencedReads.Advance;

    [Description("When the mark advances. Admission: before the write is forwarded. Success: after the service has "
        + "answered with success (weaker, has no barrier).")]
    public AdvanceOn AdvanceOn { get; set; } = AdvanceOn.Admission;

    [Description("A request while the token store is away. Reject: 503. Allow: forward it unfenced, with a warning; "
        + "what is known to be stale stays refused (weaker).")]
    public StoreUnavailableAction StoreUnavailable { get; set; } = StoreUnavailableAction.Reject;

    [Description("Whether keys that differ in case only are one resource.")]
    public bool CaseInsensitive { get; set; }

    [Description("Whether a 409 tells the client the resource's mark.")]
    public bool ExposeMark { get; set; }
}
