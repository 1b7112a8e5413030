namespace FenceGateway.Fencing;

/// <summary>Whether a request has the value that a resource template asks for.</summary>
public enum ResourceValueStatus
{
    /// <summary>There is exactly one.</summary>
    Found,

    /// <summary>There is none.</summary>
    Missing,

    /// <summary>There is more than one, or one that two parsers could read differently.</summary>
    Ambiguous,
}

/// <summary>Gives the values of a request, decoded, to <see cref="ResourceTemplate.Render"/>.</summary>
public interface IResourceValues
{
    /// <summary>Looks up the value of <paramref name="part"/>, which is never a literal.</summary>
    ResourceValueStatus Find(ResourceTemplatePart part, out ReadOnlySpan<char> value);
}
