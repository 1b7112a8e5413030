namespace FenceGateway.Fencing;

/// <summary>Where a part of a resource key comes from.</summary>
public enum ResourceValueKind
{
    /// <summary>Text that stands in the template.</summary>
    Literal,

    /// <summary><c>{id}</c>: a value of the route.</summary>
    Route,

    /// <summary><c>{query:name}</c>: the only value of a query parameter.</summary>
    Query,

    /// <summary><c>{header:Name}</c>: the only value of a header.</summary>
    Header,

    /// <summary><c>{host}</c>: the host of the request, lower case, without port and trailing dot.</summary>
    Host,
}

/// <summary>One part of a compiled <see cref="ResourceTemplate"/>.</summary>
/// <param name="Kind">Where the part's text comes from.</param>
/// <param name="Text">The literal, or the name of the value; empty for the host.</param>
public readonly record struct ResourceTemplatePart(ResourceValueKind Kind, string Text)
{
    /// <summary>The part as it stands in the template.</summary>
    public override string ToString() => Kind switch
    {
        ResourceValueKind.Literal => Text,
        ResourceValueKind.Route => $"{{{Text}}}",
        ResourceValueKind.Query => $"{{query:{Text}}}",
        ResourceValueKind.Header => $"{{header:{Text}}}",
        _ => "{host}",
    };
}
