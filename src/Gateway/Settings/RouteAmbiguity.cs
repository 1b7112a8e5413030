using FenceGateway.Gateway.Configuration;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.AspNetCore.Routing.Template;

namespace FenceGateway.Gateway.Settings;

/// <summary>
/// Finds routes that match the same request equally well, which ASP.NET notices when the request comes, and answers
/// with 500. The matcher itself is asked, with requests made up for each route; routes that are written alike need
/// none.
/// </summary>
internal sealed class RouteAmbiguity(IServiceProvider services, RequestDelegate matcher, RouteEndpoint[] endpoints)
{
    /// <summary>
    /// Two routes that ask for headers or parameters meet in a request that has those of both; so many are tried for
    /// each.
    /// </summary>
    private const int MostOthers = 64;

    private const string Remedy = "each such request would be answered with 500; tell them apart in Match, or give one "
        + "of them another Order (the lower one is taken)";

    private const string AmbiguousMatch = "Microsoft.AspNetCore.Routing.Matching.AmbiguousMatchException";

    private readonly RouteWitnesses _witnesses = new(services.GetRequiredService<ParameterPolicyFactory>());
    private readonly HashSet<string> _reported = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>ASP.NET's type for it is its own.</summary>
    public static bool IsAmbiguous(Exception e) => e.GetType().FullName == AmbiguousMatch;

    public async ValueTask CheckAsync(List<ConfigProblem> problems)
    {
        var ordered = endpoints.OrderBy(static e => e.DisplayName, StringComparer.Ordinal).ToArray();
        var equals = ordered.ToLookup(RouteRank.Of);
        foreach (var endpoint in ordered)
        {
            try
            {
                var others = Others(endpoint, equals).Prepend(null);
                foreach (var request in others.SelectMany(other => _witnesses.Of(endpoint, other)))
                {
                    await AskAsync(request, problems);
                }
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // A constraint that throws once it is asked: a regular expression is parsed then.
                problems.Add(RouterProof.ProblemOf(endpoint, e));
            }
        }

        foreach (var alike in ordered.GroupBy(Text, StringComparer.OrdinalIgnoreCase))
        {
            Report([.. alike.Select(static e => RouterProof.RouteOf(e).RouteId)], "the same requests", problems);
        }
    }

    private async ValueTask AskAsync(HttpContext request, List<ConfigProblem> problems)
    {
        // The framework reads nothing of a request that has an endpoint.
        request.RequestServices = services;
        try
        {
            await matcher(request);
        }
        catch (Exception e) when (IsAmbiguous(e))
        {
            // The message is all that there is: each of its last lines is the name of an endpoint.
            var lines = e.Message.Split(Environment.NewLine).ToHashSet(StringComparer.Ordinal);
            var names = endpoints.Select(static endpoint => endpoint.DisplayName!).Where(lines.Contains);
            var asked = request.Request;
            var text = $"{asked.Method} {asked.Host}{asked.Path}{asked.QueryString}";
            Report([.. names.Order(StringComparer.Ordinal)], text, problems);
        }
    }

    private void Report(string[] routes, string request, List<ConfigProblem> problems)
    {
        foreach (var route in routes.Skip(1))
        {
            if (_reported.Add($"{routes[0]}\n{route}"))
            {
                problems.Add(new(
                    ConfigPath.Of(SectionNames.ReverseProxy, "Routes", route),
                    $"matches {request} exactly as well as the route '{routes[0]}' does, and {Remedy}"));
            }
        }
    }

    /// <summary>Those that a request with their headers and parameters, too, may belong to as well.</summary>
    private static IEnumerable<RouteEndpoint?> Others(RouteEndpoint endpoint, ILookup<RouteRank, RouteEndpoint> equals)
    {
        var rank = RouteRank.Of(endpoint);
        return rank is { Headers: 0, Parameters: 0 }
            ? []
            : equals[rank].Where(other => other != endpoint).Take(MostOthers);
    }

    /// <summary>Order and match of a route in one text; names of parameters say nothing of what it matches.</summary>
    private static string Text(RouteEndpoint endpoint)
    {
        var match = RouterProof.RouteOf(endpoint).Match;
        var segments = endpoint.RoutePattern.PathSegments.Select(static s => string.Concat(s.Parts.Select(Text)));
        var headers = match.Headers?.Select(static h => $"{h.Name} {h.Mode} {h.IsCaseSensitive} {Text(h.Values)}");
        var parameters = match.QueryParameters?.Select(
            static q => $"{q.Name} {q.Mode} {q.IsCaseSensitive} {Text(q.Values)}");
        return string.Join(
            '\n',
            [
                $"{endpoint.Order} {string.Join('/', segments)}",
                .. Sorted(match.Hosts), .. Sorted(match.Methods), .. Sorted(headers), .. Sorted(parameters),
            ]);
    }

    private static string Text(RoutePatternPart part) => part switch
    {
        RoutePatternLiteralPart literal => literal.Content,
        RoutePatternSeparatorPart separator => separator.Content,
        RoutePatternParameterPart parameter =>
            $"{{{parameter.ParameterKind}"
            + $"{Text([.. parameter.ParameterPolicies.Select(static p => p.Content ?? "")])}}}",
        _ => "",
    };

    private static string Text(IReadOnlyList<string>? values) => string.Join(',', values ?? []);

    private static IEnumerable<string> Sorted(IEnumerable<string>? texts) =>
        [.. (texts ?? []).Order(StringComparer.OrdinalIgnoreCase), ""];

    /// <summary>What decides which of two routes goes first; equal where neither does.</summary>
    private readonly record struct RouteRank(int Order, decimal Precedence, int Headers, int Parameters)
    {
        public static RouteRank Of(RouteEndpoint endpoint)
        {
            var match = RouterProof.RouteOf(endpoint).Match;
            var precedence = RoutePrecedence.ComputeInbound(new RouteTemplate(endpoint.RoutePattern));
            return new(endpoint.Order, precedence, match.Headers?.Count ?? 0, match.QueryParameters?.Count ?? 0);
        }
    }
}
