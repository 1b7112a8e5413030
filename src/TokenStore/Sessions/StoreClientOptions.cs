namespace FenceGateway.TokenStore;

/// <summary>How a gateway keeps its session in a token store.</summary>
public sealed class StoreClientOptions
{
    /// <summary>
    /// How long the session lives without a heartbeat, by the store's clock. 500 ms to 1 minute; default 5 s. A store
    /// may grant something else.
    /// </summary>
    public TimeSpan TimeToLive { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>What the store has to promise at least; null for anything. Default: null.</summary>
    public SafetyGrade? RequireGrade { get; init; }

    /// <summary>
    /// Whether a store that cannot be reached when the gateway starts is waited for. Default: false, the start fails.
    /// </summary>
    public bool WaitForStore { get; init; }

    /// <summary>
    /// What the names of this gateway's sessions begin with, for people: 1 to 64 of <c>A-Z a-z 0-9 . -</c>. Null for
    /// the machine's name.
    /// </summary>
    public string? InstanceName { get; init; }

    /// <summary>Spreads attempts, so that a fleet does not make them in step.</summary>
    internal Random Random { get; init; } = Random.Shared;

    /// <summary>
    /// Names sessions where a run has to be repeated exactly; null for names that are never used twice.
    /// </summary>
    internal Func<string>? NewName { get; init; }
}
