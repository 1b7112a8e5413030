using FenceGateway.Fencing;

namespace FenceGateway.Gateway.RateLimiting;

/// <summary>Something of a request that has a limit of its own.</summary>
internal enum RateLimitKeyKind
{
    /// <summary>The client's address; of IPv6 the first 64 bits, which is what one subscriber has.</summary>
    ClientAddress,

    /// <summary>The tenant, from the header that the configuration names for it.</summary>
    Tenant,

    /// <summary>The key of the fenced resource.</summary>
    Resource,

    Header,
    Route,
    Query,
}

/// <summary>A part of a partition's key.</summary>
/// <param name="Kind">Where it comes from.</param>
/// <param name="Name">The name of the header, route value or parameter; else empty.</param>
internal sealed record RateLimitKeyPart(RateLimitKeyKind Kind, string Name)
{
    /// <summary>The part as a resource template knows it.</summary>
    public ResourceTemplatePart Template { get; } = new(
        Kind == RateLimitKeyKind.Query ? ResourceValueKind.Query : ResourceValueKind.Route, Name);

    /// <summary>As it is written in the configuration.</summary>
    public override string ToString() => Name.Length == 0 ? Kind.ToString() : $"{Kind}:{Name}";
}
