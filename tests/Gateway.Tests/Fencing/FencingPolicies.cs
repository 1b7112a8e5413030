using FenceGateway.Fencing;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Tests.Fencing;

/// <summary>Policies as the configuration makes them.</summary>
internal static class FencingPolicies
{
    public static FencingPolicy WithHeaders(params string[] aliases) =>
        Of(new FencingPolicyOptions { Resource = "{host}", HeaderAliases = [.. aliases] });

    public static FencingPolicy Of(FencingPolicyOptions options)
    {
        List<ConfigProblem> problems = [];
        var policies = FencingPolicyReader.Read(
            new Dictionary<string, FencingPolicyOptions> { ["test"] = options }, new RequestOptions(), isShared: false, problems);
        problems.ShouldBeEmpty();
        return policies["test"];
    }

    public static ResourceTemplate Template(string text)
    {
        ResourceTemplate.TryParse(text, caseInsensitive: false, out var template, out var error).ShouldBeTrue(error);
        return template;
    }
}
