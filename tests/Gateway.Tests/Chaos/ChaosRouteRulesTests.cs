using FenceGateway.Gateway.Tests.Configuration;
namespace FenceGateway.Gateway.Tests.Chaos;

public sealed class ChaosRouteRulesTests
{
    [Theory]
    [InlineData(""" "Route": "ordres", "InjectionRate": 0.1, "Outcome": 503 """, "rule.Route", "did you mean 'orders'")]
    [InlineData(""" "InjectionRate": 0.1, "Outcome": 503 """, "rule.Route", "is required")]
    [InlineData(""" "Route": "*", "InjectionRate": 1.1, "Outcome": 503 """, "rule.InjectionRate", "out of range")]
    [InlineData(""" "Route": "*", "InjectionRate": 0.1 """, "rule", "injects nothing")]
    [InlineData(""" "Route": "*", "InjectionRate": 0.1, "Outcome": 101 """, "rule.Outcome", "out of range")]
    [InlineData(""" "Route": "*", "InjectionRate": 0.1, "Fault": "Refused" """, "rule.Fault", "Reset")]
    [InlineData(""" "Route": "*", "InjectionRate": 0.1, "Outcome": 503, "Header": "X Chaos" """, "rule.Header", "no name of a header")]
    public async Task Check_WrongRule_IsNamed(string rule, string path, string message)
    {
        var problems = await ProblemsAsync($$""" "rule": { {{rule}} } """);

        problems.ShouldContain(
            p => p.StartsWith($"$.FenceGateway.Chaos.Rules.{path}") && p.Contains(message),
            string.Join('\n', problems));
    }

    [Fact]
    public async Task Check_NameThatCannotStandInAHeader_IsRefused() =>
        (await ProblemsAsync(""" "a rule": { "Route": "*", "InjectionRate": 0.1, "Outcome": 503 } """))
            .ShouldHaveSingleItem().ShouldContain("cannot stand in a header");

    [Fact]
    public async Task Check_GoodRules_HaveNoProblems() => (await ProblemsAsync("""
        "slow": { "Route": "orders", "InjectionRate": 0.1, "Latency": "00:00:02", "Header": "X-Chaos" },
        "gone": { "Route": "*", "InjectionRate": 0, "Latency": null, "Outcome": null, "Fault": "ConnectionRefused", "Header": null }
        """)).ShouldBeEmpty();

    private static async Task<string[]> ProblemsAsync(string rules)
    {
        var json = Json.Good.Replace(
            "\"FenceGateway\": {", $$""" "FenceGateway": { "Chaos": { "Enabled": true, "Rules": { {{rules}} } }, """, StringComparison.Ordinal);
        return [.. (await ConfigurationFolder.ProblemsAsync(json)).Select(p => p.ToString())];
    }
}
