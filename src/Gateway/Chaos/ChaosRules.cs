using System.Collections.Frozen;
using FenceGateway.Gateway.Configuration;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Chaos;

/// <summary>What chaos is configured, and the routes that its rules may name.</summary>
internal sealed record ChaosSettings(ChaosOptions Options, IReadOnlyList<RouteConfig> Routes);

/// <summary>The rules in force: none unless the configuration and whoever started the process both want them.</summary>
internal sealed class ChaosRules
{
    private readonly ChaosSwitch _switch;
    private readonly ChaosReport _report;
    private readonly TimeProvider _time;
    private readonly ILogger<ChaosRules> _logger;
    private volatile FrozenDictionary<string, ChaosRule[]>? _routes;

    public ChaosRules(
        InForce<ChaosSettings> settings, ChaosSwitch chaosSwitch, ChaosReport report, TimeProvider time,
        ILogger<ChaosRules> logger)
    {
        (_switch, _report, _time, _logger) = (chaosSwitch, report, time, logger);
        settings.Follow(Apply);
    }

    public bool IsAllowed => _switch.IsAllowed;

    /// <summary>The names of the rules in force.</summary>
    public IEnumerable<string> Names => _routes is { } routes
        ? routes.Values.SelectMany(rules => rules).Select(rule => rule.Name)
            .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)
        : [];

    /// <summary>The rules of a route; null when it has none.</summary>
    public ChaosRule[]? Of(HttpContext context) =>
        _routes is { } routes ? routes.GetValueOrDefault(context.GetRouteModel().Config.RouteId) : null;

    private void Apply(ChaosSettings settings)
    {
        var chaos = settings.Options;
        var wasOn = _routes is not null;
        _routes = chaos is { Enabled: true, Rules.Count: > 0 } && _switch.IsAllowed
            ? Compile(chaos, settings.Routes)
            : null;
        if (_routes is not null)
        {
            _logger.On(string.Join(", ", chaos.Rules.Keys));
        }
        else if (chaos.Enabled && !_switch.IsAllowed)
        {
            _logger.NotAllowed();
        }
        else if (wasOn)
        {
            _logger.Off();
        }
    }

    private FrozenDictionary<string, ChaosRule[]> Compile(ChaosOptions chaos, IReadOnlyList<RouteConfig> routes)
    {
        var rules = chaos.Rules
            .OrderBy(rule => rule.Key, StringComparer.OrdinalIgnoreCase)
            .Select(rule => (rule.Value.Route, Rule: new ChaosRule(rule.Key, rule.Value, _report, _time)))
            .ToArray();
        return routes
            .Select(route => (Id: route.RouteId, Rules: rules
                .Where(
                    r => r.Route == ChaosRouteRules.AnyRoute
                        || r.Route.Equals(route.RouteId, StringComparison.OrdinalIgnoreCase))
                .Select(r => r.Rule)
                .ToArray()))
            .Where(route => route.Rules.Length > 0)
            .ToFrozenDictionary(route => route.Id, route => route.Rules, StringComparer.OrdinalIgnoreCase);
    }
}
