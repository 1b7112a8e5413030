using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Primitives;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Settings;

/// <summary>
/// Makes up requests that a route matches: one for each of its hosts and methods, and for several values of what is
/// constrained.
/// </summary>
internal sealed partial class RouteWitnesses(ParameterPolicyFactory constraints)
{
    private const int MostValues = 16;
    private const int MostRequests = 256;
    private const int MostRepeated = 256;

    /// <summary>One at least for each of ASP.NET's own constraints that takes no argument.</summary>
    private static readonly string[] Values =
    [
        "x", "1", "true", "2026-01-01", "00000000-0000-0000-0000-000000000001", "x.x", "x-x_x.x~x", "xxxxxxxx", "0",
        "-1", "1000", "X",
    ];

    /// <summary>
    /// Requests that <paramref name="endpoint"/> matches, with what <paramref name="other"/> asks for besides.
    /// </summary>
    public IEnumerable<HttpContext> Of(RouteEndpoint endpoint, RouteEndpoint? other)
    {
        var match = RouterProof.RouteOf(endpoint).Match;
        var asked = other is null ? new RouteMatch() : RouterProof.RouteOf(other).Match;
        var requests =
            from path in Paths(endpoint.RoutePattern)
            from host in match.Hosts is { Count: > 0 } hosts ? hosts : ["localhost"]
            from method in match.Methods is { Count: > 0 } methods ? methods : [HttpMethods.Get]
            select Request(method, host, path, match, asked);
        return requests.Take(MostRequests);
    }

    private static DefaultHttpContext Request(
        string method, string host, string path, RouteMatch match, RouteMatch asked)
    {
        var context = new DefaultHttpContext();
        var request = context.Request;
        (request.Method, request.Scheme, request.Path) = (method, "http", path);
        request.Host = new HostString(host.Replace("*", "x", StringComparison.Ordinal));
        var headers = (match.Headers ?? []).Concat(asked.Headers ?? []);
        foreach (var header in headers)
        {
            if (Value(header.Mode.ToString(), header.Values) is { } value)
            {
                request.Headers.TryAdd(header.Name, value);
            }
        }

        var query = new Dictionary<string, StringValues>(StringComparer.OrdinalIgnoreCase);
        foreach (var parameter in (match.QueryParameters ?? []).Concat(asked.QueryParameters ?? []))
        {
            if (Value(parameter.Mode.ToString(), parameter.Values) is { } value)
            {
                query.TryAdd(parameter.Name, value);
            }
        }

        request.QueryString = QueryString.Create(query);
        return context;
    }

    /// <summary>
    /// A value of a header or parameter; null where it may not be there. The modes of both have the same names.
    /// </summary>
    private static string? Value(string mode, IReadOnlyList<string>? values) =>
        mode == nameof(HeaderMatchMode.NotExists) ? null
        : mode is nameof(HeaderMatchMode.Exists) or nameof(HeaderMatchMode.NotContains) ? "~"
        : values is [var first, ..] ? first
        : "~";

    private IEnumerable<string> Paths(RoutePattern pattern)
    {
        var values = pattern.Parameters.ToDictionary(
            static p => p.Name, p => ValuesOf(p, pattern), StringComparer.OrdinalIgnoreCase);
        var count = values.Count == 0 ? 1 : values.Values.Max(static v => v.Length);
        for (var i = 0; i < count; i++)
        {
            yield return "/" + string.Join('/', pattern.PathSegments.Select(s => string.Concat(s.Parts.Select(Text))));

            string Text(RoutePatternPart part) => part switch
            {
                RoutePatternLiteralPart literal => literal.Content,
                RoutePatternSeparatorPart separator => separator.Content,
                RoutePatternParameterPart parameter => values[parameter.Name][i % values[parameter.Name].Length],
                _ => "",
            };
        }
    }

    /// <summary>Values that the parameter's constraints let through, as far as guesses go; never none.</summary>
    private string[] ValuesOf(RoutePatternParameterPart parameter, RoutePattern pattern)
    {
        if (parameter.ParameterPolicies.Count == 0 && pattern.PathSegments.All(static s => s.IsSimple))
        {
            return [Values[0]];
        }

        var policies = parameter.ParameterPolicies;
        var checks = policies.Select(policy => constraints.Create(parameter, policy))
            .OfType<IRouteConstraint>()
            .ToArray();
        var values = Values.Concat(policies.SelectMany(static policy => Guesses(policy.Content ?? "")))
            .Where(value => Array.TrueForAll(checks, check => IsLetThrough(check, parameter.Name, value)))
            .Take(MostValues)
            .ToArray();
        return values.Length > 0 ? values : [Values[0]];
    }

    private static bool IsLetThrough(IRouteConstraint constraint, string name, string value) =>
        constraint.Match(null, null, name, new RouteValueDictionary { [name] = value }, RouteDirection.IncomingRequest);

    /// <summary>What a constraint's own text suggests: its words, its numbers, and texts of such a length.</summary>
    private static IEnumerable<string> Guesses(string constraint)
    {
        foreach (Match word in Word().Matches(constraint))
        {
            yield return word.Value;
            if (int.TryParse(word.Value, out var number) && number is > 0 and <= MostRepeated)
            {
                yield return new string('x', number);
                yield return new string('1', number);
            }
        }
    }

    [GeneratedRegex("[A-Za-z0-9]+", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Word();
}
