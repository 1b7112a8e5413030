using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Settings;
using FenceGateway.Gateway.Stores;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Cli;

/// <summary>
/// What a good configuration means, for the eye and for grep: one thing a line, whose first word says what it is.
/// </summary>
/// <param name="output">Where it goes.</param>
/// <param name="colour">Whether that is a terminal.</param>
internal sealed class ValidateReport(TextWriter output, bool colour)
{
    private const string Green = "32";
    private const string Yellow = "33";
    private const string Bold = "1";
    private const int Column = 13;
    private const int WidestColumn = 48;

    public async Task WriteAsync(string file, GatewayConfiguration configuration)
    {
        var warnings = ConfigurationWarnings.Of(configuration);
        await output.WriteLineAsync(
            $"{file} is {Paint("valid", Green)}: {Count(configuration.Routes.Count, "route")}, "
            + $"{Count(configuration.Clusters.Count, "cluster")}, "
            + Count(configuration.FencingPolicies.Count, "fencing policy", "fencing policies")
            + (warnings.Count > 0 ? $", {Paint(Count(warnings.Count, "warning"), Yellow)}" : ""));
        await output.WriteLineAsync();
        await WriteStoreAsync(configuration.Options.TokenStore);
        await WriteRoutesAsync(configuration);
        foreach (var warning in warnings)
        {
            await LineAsync("warning", Yellow, warning.ToString());
        }
    }

    private async Task WriteStoreAsync(TokenStoreOptions store)
    {
        await LineAsync("token store", Bold, store.Provider switch
        {
            TokenStoreProvider.Embedded => $"Embedded, in {store.Embedded.Path}",
            TokenStoreProvider.Memory => "Memory, which forgets everything on a restart",
            var provider => $"{provider}, KeyPrefix {store.KeyPrefix}",
        });
        var wanted = store.RequireGrade is { } grade ? $"{grade} or better" : "any, for RequireGrade is not set";
        await LineAsync("grade", Bold, wanted);
    }

    private async Task WriteRoutesAsync(GatewayConfiguration configuration)
    {
        var policies = configuration.FencingPolicies;
        var routes = configuration.Routes
            .Select(route =>
                (route.RouteId, Match: Match(route.Match), Policy: FencedRouteRules.PolicyOf(route, policies)))
            .OrderBy(static route => route.Policy?.Mode != FencingMode.Enforce)
            .ThenBy(static route => route.RouteId, StringComparer.Ordinal)
            .ToArray();
        var (name, match) = (Widest(routes.Select(static r => r.RouteId)), Widest(routes.Select(static r => r.Match)));
        foreach (var route in routes)
        {
            var isFenced = route.Policy?.Mode == FencingMode.Enforce;
            var policy = route.Policy is { } named
                ? $"{named.Name}: {named.Resource.Text}{(isFenced ? "" : $", Mode {named.Mode}")}"
                : "";
            await LineAsync(
                isFenced ? "fenced" : "unfenced", isFenced ? Green : Yellow,
                $"{route.RouteId.PadRight(name)}  {route.Match.PadRight(match)}  {policy}".TrimEnd());
        }
    }

    private static string Match(RouteMatch match)
    {
        string[] parts =
            [string.Join(',', match.Methods ?? []), string.Join(',', match.Hosts ?? []), match.Path ?? "/{**any}"];
        return string.Join(' ', parts.Where(static part => part.Length > 0));
    }

    private static int Widest(IEnumerable<string> texts) =>
        Math.Min(WidestColumn, texts.Select(static text => text.Length).DefaultIfEmpty().Max());

    private Task LineAsync(string what, string paint, string text) =>
        output.WriteLineAsync($"{Paint(what, paint)}{new string(' ', Column - what.Length)}{text}");

    private string Paint(string text, string code) => colour ? $"\e[{code}m{text}\e[0m" : text;

    private static string Count(int count, string one, string? many = null) =>
        ValidateVerb.Count(count, one, many ?? $"{one}s");
}
