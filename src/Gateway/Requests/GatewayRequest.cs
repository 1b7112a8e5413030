using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Idempotency;
using FenceGateway.Gateway.Problems;
using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Requests;

/// <summary>
/// What the gateway knows of one request: a request feature, made for every request, so that the fence adds no object
/// of its own. Used by one request's pipeline, which is sequential.
/// </summary>
internal sealed class GatewayRequest
{
    private RouteMechanisms? _mechanisms;

    public required string CorrelationId { get; init; }

    public required string CorrelationHeader { get; init; }

    /// <summary>The tenant as it may stand in a log; null where the request names none, or none that may.</summary>
    public string? TenantId { get; init; }

    /// <summary>
    /// What the request says of its tenant, whatever that is: two that say something else share nothing. Null: nothing.
    /// </summary>
    public string? TenantScope { get; init; }

    /// <summary>
    /// The gateway had too many requests and did not look at this one: a flood of them must not flood the log.
    /// </summary>
    public bool IsShed { get; set; }

    /// <summary>What the fence said; null on routes without one.</summary>
    public FenceOutcome? Outcome { get; set; }

    /// <summary>The answer that the gateway has given itself; null when the service's went to the client.</summary>
    public Problem? Problem { get; set; }

    /// <summary>The client gets the stored answer to an earlier request: the service's, though this request was not
    /// forwarded.</summary>
    public bool IsReplayed { get; set; }

    /// <summary>The policy that the request began with; a reload does not change it.</summary>
    public FencingPolicy? Policy { get; private set; }

    /// <summary>The fence of the resource; null where the request names none.</summary>
    public ResourceFence? Fence { get; private set; }

    /// <summary>Whether the request has to be admitted before it is forwarded.</summary>
    public bool NeedsAdmission { get; private set; }

    public FencingToken Token { get; private set; }

    /// <summary>Answers of the service after which nobody knows whether it has done what was asked.</summary>
    public StatusSet InDoubtStatuses => Policy?.InDoubtStatuses ?? FencingPolicy.UsualInDoubtStatuses;

    public bool IsWrite { get; private set; }

    /// <summary>
    /// Whether the request goes on to its end although its client has left: a bounded write does in any case.
    /// </summary>
    public bool OutlivesClient { get; set; }

    /// <summary>The key that the request has claimed; null when it has none.</summary>
    public KeyedRequest? Keyed { get; set; }

    /// <summary>What an admitted write holds; not open for any other request.</summary>
    public WriteTicket Ticket;

    /// <summary>The attempts so far: the one that is open, and how the last one ended.</summary>
    public AttemptState Attempts;

    /// <summary>The places that it holds in bulkheads, until its end.</summary>
    public HeldPlaces Places;

    /// <summary>
    /// The resilience mechanisms of the request's route, in the generation in which the request began.
    /// </summary>
    public RouteMechanisms Mechanisms(HttpContext context) =>
        _mechanisms ??= context.GetEndpoint()?.Metadata.GetMetadata<RouteMechanisms>() ?? RouteMechanisms.None;

    /// <summary>The request passed the early checks and is to be admitted before it is forwarded.</summary>
    public void Present(FencingPolicy policy, ResourceFence fence, FencingToken token, bool isWrite)
    {
        Policy = policy;
        Fence = fence;
        Token = token;
        IsWrite = isWrite;
        NeedsAdmission = true;
    }

    /// <summary>
    /// The request goes on without being admitted (a policy that only reports). Its log line still names the resource.
    /// </summary>
    public void Withdraw() => NeedsAdmission = false;

    /// <summary>
    /// The fence that has decided: while the request waited, the one it came with may have been forgotten.
    /// </summary>
    public void DecidedBy(ResourceFence fence) => Fence = fence;

    /// <summary>The write was admitted at <paramref name="fence"/> and is about to be forwarded.</summary>
    public void Begin(ResourceFence fence, GatewaySession? session, long admittedAt)
    {
        Fence = fence;
        Ticket.Begin(session, admittedAt, Policy!.Mode);
    }

    /// <summary>
    /// Looks at the write before a piece of it leaves in the open attempt, which ends where it may not.
    /// </summary>
    /// <exception cref="OperationCanceledException">Nothing more of it may leave.</exception>
    public void ThrowUnlessMayGo()
    {
        if (!Ticket.MayGo)
        {
            Attempts.Deadline?.EndSession();
            throw new OperationCanceledException("The session in which the write was admitted is over.");
        }

        Attempts.HasLeft = true;
    }

    public void WriteResponseHeader(HttpContext context) => context.Response.Headers[CorrelationHeader] = CorrelationId;
}
