using FenceGateway.Fencing;
using FenceGateway.Gateway.Configuration;
using Microsoft.Extensions.Primitives;

namespace FenceGateway.Gateway.Fencing;

/// <summary>What a request's headers say about its token.</summary>
internal enum TokenHeaderStatus
{
    /// <summary>No token header at all.</summary>
    None,

    /// <summary>Exactly one, well formed.</summary>
    One,

    /// <summary>Anything else.</summary>
    Malformed,
}

/// <summary>
/// Reads the fencing token of a request and puts it into the form in which the service gets it (R10).
/// </summary>
internal static class TokenHeaders
{
    /// <summary>Reads the only token of the request. Does not allocate unless it is malformed.</summary>
    /// <param name="headers">The request's headers.</param>
    /// <param name="policy">Says which headers carry the token.</param>
    /// <param name="mayHaveLookalike">Whether a header may look like one of them; false spares a look at all
    /// names.</param>
    /// <param name="token">The token.</param>
    /// <param name="detail">What is malformed, a sentence.</param>
    public static TokenHeaderStatus Read(
        IHeaderDictionary headers, FencingPolicy policy, bool mayHaveLookalike, out FencingToken token,
        out string? detail)
    {
        token = default;
        detail = null;
        var (count, name, value) = (0, policy.Header, "");
        Count(headers, policy.Header, ref count, ref name, ref value);
        foreach (var alias in policy.HeaderAliases)
        {
            Count(headers, alias, ref count, ref name, ref value);
        }

        if (mayHaveLookalike && count > 0 && LookalikeOf(headers, policy) is { } lookalike)
        {
            detail =
                $"Next to {name} stands {lookalike}, which many services take for the same header; send one of them.";
            return TokenHeaderStatus.Malformed;
        }

        if (NamedByConnection(headers, policy) is { } named)
        {
            detail =
                $"The Connection header names {named}, so that a proxy would remove it; send the token end to end.";
            return TokenHeaderStatus.Malformed;
        }

        switch (count)
        {
            case 0:
                return TokenHeaderStatus.None;
            case > 1:
                detail = $"The request has {count} token headers; send exactly one {policy.Header}.";
                return TokenHeaderStatus.Malformed;
        }

        if (FencingToken.TryParse(value, out token))
        {
            return TokenHeaderStatus.One;
        }

        detail = $"{name} must be 1 to {FencingToken.MaxDigits} decimal digits, from 1 to {long.MaxValue}, "
            + "without sign, leading zero, blank or quotes.";
        return TokenHeaderStatus.Malformed;
    }

    /// <summary>The look-alike that the request carries, if any.</summary>
    public static string? LookalikeOf(IHeaderDictionary headers, FencingPolicy policy) =>
        HeaderLookalikes.Find(headers, policy.TokenHeaders);

    /// <summary>
    /// Leaves the token in the canonical header alone; aliases go. A request with a look-alike was refused.
    /// </summary>
    public static void Canonicalize(IHeaderDictionary headers, FencingPolicy policy, FencingToken token)
    {
        if (policy.HeaderAliases.Length == 0)
        {
            return;
        }

        if (!headers.ContainsKey(policy.Header))
        {
            headers[policy.Header] = token.ToString();
        }

        foreach (var alias in policy.HeaderAliases)
        {
            headers.Remove(alias);
        }
    }

    /// <summary>Takes every token header away: a request that is not fenced must not look as if it were.</summary>
    public static void Strip(IHeaderDictionary headers, FencingPolicy policy)
    {
        foreach (var header in policy.TokenHeaders)
        {
            headers.Remove(header);
        }

        HeaderLookalikes.Remove(headers, policy.TokenHeaders);
    }

    /// <summary>
    /// Whether the Connection header nominates <paramref name="name"/> (RFC 9110, section 7.6.1), or what looks like
    /// it.
    /// </summary>
    public static bool IsNamedByConnection(IHeaderDictionary headers, string name)
    {
        foreach (var line in headers.Connection)
        {
            var rest = line.AsSpan();
            foreach (var option in rest.Split(','))
            {
                if (HeaderRules.LookAlike(rest[option].Trim(" \t"), name))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static void Count(IHeaderDictionary headers, string name, ref int count, ref string found, ref string value)
    {
        if (headers.TryGetValue(name, out var values) && values.Count > 0)
        {
            count += values.Count;
            found = name;
            value = values[0] ?? "";
        }
    }

    private static string? NamedByConnection(IHeaderDictionary headers, FencingPolicy policy)
    {
        if (StringValues.IsNullOrEmpty(headers.Connection))
        {
            return null;
        }

        foreach (var name in policy.TokenHeaders)
        {
            if (IsNamedByConnection(headers, name))
            {
                return name;
            }
        }

        return null;
    }
}
