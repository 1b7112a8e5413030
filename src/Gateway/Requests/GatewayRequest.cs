using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Requests;

/// <summary>
/// What the gateway knows of one request: a request feature, made for every request, so that the fence adds no object of its
/// own. Used by one request's pipeline, which is sequential.
/// </summary>
internal sealed class GatewayRequest
{
    private WriteDeadline? _deadline;
    private long _started;

    public required string CorrelationId { get; init; }

    public required string CorrelationHeader { get; init; }

    public string? TenantId { get; init; }

    /// <summary>What the fence said; null on routes without one.</summary>
    public FenceOutcome? Outcome { get; set; }

    /// <summary>The policy that the request began with; a reload does not change it.</summary>
    public FencingPolicy? Policy { get; private set; }

    /// <summary>The fence of the resource; null where the request names none.</summary>
    public ResourceFence? Fence { get; private set; }

    /// <summary>Whether the request has to be admitted before it is forwarded.</summary>
    public bool NeedsAdmission { get; private set; }

    public FencingToken Token { get; private set; }

    public bool IsWrite { get; private set; }

    /// <summary>The deadline of the write in flight; not null means that the fence counts it.</summary>
    public WriteDeadline? InFlight => _deadline;

    /// <summary>The status of the service's answer if that has no body and is there; else 0.</summary>
    public int ServiceStatus { get; set; }

    /// <summary>The request passed the early checks and is to be admitted before it is forwarded.</summary>
    public void Present(FencingPolicy policy, ResourceFence fence, FencingToken token, bool isWrite)
    {
        Policy = policy;
        Fence = fence;
        Token = token;
        IsWrite = isWrite;
        NeedsAdmission = true;
    }

    /// <summary>The request goes on without being admitted (a policy that only reports). Its log line still names the resource.</summary>
    public void Withdraw() => NeedsAdmission = false;

    /// <summary>The write was admitted at <paramref name="fence"/> and is about to be forwarded.</summary>
    public void Begin(ResourceFence fence, WriteDeadline deadline, long started)
    {
        Fence = fence;
        _deadline = deadline;
        _started = started;
    }

    /// <summary>The write has left the gateway's hands; whoever gets it here tells the fence how it ended. Null the second time.</summary>
    public (WriteDeadline Deadline, long Started)? End()
    {
        if (_deadline is not { } deadline)
        {
            return null;
        }

        _deadline = null;
        return (deadline, _started);
    }

    public void WriteResponseHeader(HttpContext context) => context.Response.Headers[CorrelationHeader] = CorrelationId;
}
