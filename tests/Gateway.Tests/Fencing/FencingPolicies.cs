using FenceGateway.Fencing;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Fencing;

namespace FenceGateway.Gateway.Tests.Fencing;

/// <summary>Policies as the configuration makes them.</summary>
internal static class FencingPolicies
{
    public static FencingPolicy WithHeaders(params string[] aliases)
    {
        var options = new GatewayOptions { FencingPolicies = { ["test"] = new() { Resource = "{host}", HeaderAliases = [.. aliases] } } };
        List<ConfigProblem> problems = [];
        var policies = FencingPolicyReader.Read(options, problems);
        problems.ShouldBeEmpty();
        return policies["test"];
    }

    public static ResourceTemplate Template(string text)
    {
        ResourceTemplate.TryParse(text, caseInsensitive: false, out var template, out var error).ShouldBeTrue(error);
        return template;
    }
}
