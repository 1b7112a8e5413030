using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.Gateway.Settings;
using Microsoft.Extensions.Configuration;

namespace FenceGateway.Gateway.Tests.RateLimiting;

/// <summary>Policies as the configuration makes them.</summary>
internal static class RateLimitPolicies
{
    /// <summary>The policy <c>test</c> with the given keys.</summary>
    public static RateLimitPolicy Of(params (string Key, string Value)[] settings)
    {
        var (policy, problems) = Read("test", settings);
        problems.ShouldBeEmpty();
        return policy.ShouldNotBeNull();
    }

    public static (RateLimitPolicy? Policy, List<ConfigProblem> Problems) Read(
        string name, params (string Key, string Value)[] settings)
    {
        var section = new ConfigurationBuilder()
            .AddInMemoryCollection(
                settings.Append(("QueueLimit", "0")).DistinctBy(s => s.Item1).Select(s => KeyValuePair.Create(
                $"FenceGateway:RateLimiterPolicies:{name}:{s.Item1}", (string?)s.Item2)))
            .Build()
            .GetSection("FenceGateway");
        List<ConfigProblem> problems = [];
        var options = new OptionsReader(problems).Read<GatewayOptions>(section);
        var policies = RateLimitPolicyReader.Read(options.RateLimiterPolicies, problems);
        return (policies.GetValueOrDefault(name), problems);
    }
}
