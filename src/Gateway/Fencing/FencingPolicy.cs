using FenceGateway.Fencing;
using FenceGateway.Gateway.Requests;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Fencing;

/// <summary>A fencing policy, parsed once and immutable. Keys and defaults: docs/configuration.md.</summary>
internal sealed record FencingPolicy
{
    /// <summary>What an intermediary says that got no answer itself.</summary>
    public static StatusSet UsualInDoubtStatuses { get; } = new(
        [StatusCodes.Status502BadGateway, StatusCodes.Status504GatewayTimeout]);

    public required string Name { get; init; }

    public required ResourceTemplate Resource { get; init; }

    /// <summary>Whether the template makes one key of keys that differ in case only.</summary>
    public required bool CaseInsensitive { get; init; }

    /// <summary>The canonical token header; the service gets the token in it.</summary>
    public required string Header { get; init; }

    /// <summary>Other headers that a client may use instead.</summary>
    public required string[] HeaderAliases { get; init; }

    /// <summary>
    /// All headers that may carry the token. What looks like one of them to a service is never forwarded beside it.
    /// </summary>
    public required string[] TokenHeaders { get; init; }

    /// <summary>The lengths of all names that are looked for among a request's headers.</summary>
    public ulong GuardedLengths => field != 0 ? field
        : field = HeaderLookalikes.LengthsOf(TokenHeaders) | HeaderLookalikes.LengthsOf(FenceCheck.MethodOverrides);

    public required FencingMode Mode { get; init; }

    public required MissingTokenAction MissingToken { get; init; }

    public required FenceBarrier Barrier { get; init; }

    public required TimeSpan DrainTimeout { get; init; }

    public required TimeSpan InDoubtHold { get; init; }

    /// <summary>Answers that do not end a write: whoever gave them does not know what became of it.</summary>
    public required StatusSet InDoubtStatuses { get; init; }

    public required TimeSpan WriteTimeout { get; init; }

    public required FencedReads Reads { get; init; }

    public required AdvanceOn AdvanceOn { get; init; }

    public required StoreUnavailableAction StoreUnavailable { get; init; }

    public required bool ExposeMark { get; init; }

    /// <summary>
    /// How the fence table admits. A report waits for nothing but the store, and only to learn the mark.
    /// </summary>
    public AdmissionRules Rules => field ??= new AdmissionRules(
        Barrier == FenceBarrier.Drain && Mode == FencingMode.Enforce, DrainTimeout, InDoubtHold,
        AdvanceOn == AdvanceOn.Success);
}

/// <summary>Whether a policy's verdict counts.</summary>
internal enum FencingMode
{
    /// <summary>Refuse what the fence refuses.</summary>
    Enforce,

    /// <summary>Evaluate, log and count what would be refused, forward everything.</summary>
    Report,

    /// <summary>Do nothing.</summary>
    Off,
}

/// <summary>What happens to a write without a token.</summary>
internal enum MissingTokenAction
{
    /// <summary>428.</summary>
    Reject,

    /// <summary>Forward it unfenced.</summary>
    Allow,
}

/// <summary>What a newer token does about older writes that are still in flight.</summary>
internal enum FenceBarrier
{
    /// <summary>Seal, wait until they have ended, forward.</summary>
    Drain,

    /// <summary>Seal and forward; an older write may still land later. Weaker.</summary>
    Seal,
}

/// <summary>What a read with a token does.</summary>
internal enum FencedReads
{
    /// <summary>It is fenced like a write and advances the mark.</summary>
    Advance,

    /// <summary>Reads are never fenced. Weaker.</summary>
    Ignore,
}

/// <summary>When the mark advances.</summary>
internal enum AdvanceOn
{
    /// <summary>Before the write is forwarded.</summary>
    Admission,

    /// <summary>After the service has answered with success (2xx or 3xx). Weaker; has no barrier.</summary>
    Success,
}

/// <summary>What happens to a request that cannot be admitted since the token store is away.</summary>
internal enum StoreUnavailableAction
{
    /// <summary>503 (R8).</summary>
    Reject,

    /// <summary>Forward it unfenced. Weaker.</summary>
    Allow,
}
