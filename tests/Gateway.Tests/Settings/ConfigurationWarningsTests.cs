using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Settings;
using FenceGateway.Gateway.Tests.Configuration;

namespace FenceGateway.Gateway.Tests.Settings;

public sealed class ConfigurationWarningsTests
{
    [Theory]
    [InlineData(""" "ClusterId": "c", "Match": { "Path": "/admin/{**rest}" } """, "is not fenced, and leads to http://127.0.0.1:9001 as the fenced route 'orders'")]
    [InlineData(""" "ClusterId": "c", "Match": { "Path": "/{**all}" } """, "is not fenced")]
    [InlineData(""" "ClusterId": "same", "Match": { "Path": "/x" } """, "is not fenced, and leads to http://127.0.0.1:9001")]
    [InlineData(""" "ClusterId": "c", "Match": { "Path": "/x", "Methods": [ "GET", "PATCH" ] } """, "is not fenced")]
    [InlineData(""" "ClusterId": "c", "Match": { "Path": "/x/{id}" }, "Metadata": { "FencingPolicy": "off" } """, "the fencing policy 'off' with Mode Off")]
    [InlineData(""" "ClusterId": "c", "Match": { "Path": "/x/{id}" }, "Metadata": { "FencingPolicy": "report" } """, "the fencing policy 'report' with Mode Report")]
    public async Task Route_LeadsToAFencedServiceWithoutAFence_IsWarnedOf(string way, string message)
    {
        var warning = (await WarningsAsync($$""" "way": { {{way}} } """)).ShouldHaveSingleItem();

        warning.Path.ShouldBe("$.ReverseProxy.Routes.way");
        warning.Message.ShouldContain(message);
    }

    [Theory]
    [InlineData(""" "ClusterId": "other", "Match": { "Path": "/{**all}" } """)]
    [InlineData(""" "ClusterId": "c", "Match": { "Path": "/x", "Methods": [ "GET", "HEAD" ] } """)]
    [InlineData(""" "ClusterId": "c", "Match": { "Path": "/x/{id}" }, "Metadata": { "FencingPolicy": "per-order" } """)]
    public async Task Route_NoWriteGetsUnfencedToAFencedService_IsNotWarnedOf(string way) =>
        (await WarningsAsync($$""" "way": { {{way}} } """)).ShouldBeEmpty();

    [Fact]
    public async Task Routes_SeveralUnfencedWays_AreEachWarnedOf() => (await WarningsAsync(
            """
            "a": { "ClusterId": "c", "Match": { "Path": "/a" } }, "b": { "ClusterId": "same", "Match": { "Path": "/b" } }
            """))
        .Select(static warning => warning.Path).ShouldBe(["$.ReverseProxy.Routes.a", "$.ReverseProxy.Routes.b"]);

    [Fact]
    public async Task Policy_NobodyNamesIt_IsWarnedOf()
    {
        using var folder = new ConfigurationFolder();
        folder.Write("""
            {
              "ReverseProxy": {
                "Routes": { "r": {
                  "ClusterId": "c", "Match": { "Path": "/{id}" }, "RateLimiterPolicy": "USED", "CorsPolicy": "Used",
                  "Metadata": { "FencingPolicy": "Used", "ResiliencePolicy": "Used" } } },
                "Clusters": { "c": { "Metadata": { "ResiliencePolicy": "of-cluster" } } }
              },
              "FenceGateway": {
                "FencingPolicies": { "used": { "Resource": "{id}" }, "unused": { "Resource": "{id}" } },
                "ResiliencePolicies": { "used": { "Retry": {} }, "of-cluster": { "Bulkhead": {} }, "unused": { "Retry": {} } },
                "RateLimiterPolicies": { "used": { "PermitLimit": 1 }, "unused": { "PermitLimit": 1 } },
                "CorsPolicies": { "used": { "AllowedOrigins": [ "*" ] }, "unused": { "AllowedOrigins": [ "*" ] } }
              }
            }
            """);
        using var configuration = await folder.LoadAsync();

        var warnings = ConfigurationWarnings.Of(configuration.Current);

        warnings.Select(static warning => warning.Path).ShouldBe(
        [
            "$.FenceGateway.FencingPolicies.unused", "$.FenceGateway.ResiliencePolicies.unused",
            "$.FenceGateway.RateLimiterPolicies.unused",
            "$.FenceGateway.CorsPolicies.unused",
        ]);
        warnings.ShouldAllBe(
            static warning => warning.Message.StartsWith("does nothing: no route", StringComparison.Ordinal));
    }

    /// <summary>Beside a fenced route to the cluster "c".</summary>
    private static async Task<IReadOnlyList<ConfigProblem>> WarningsAsync(string routes)
    {
        using var folder = new ConfigurationFolder();
        folder.Write($$"""
            {
              "ReverseProxy": {
                "Routes": {
                  "orders": { "ClusterId": "c", "Match": { "Path": "/orders/{id}" }, "Metadata": { "FencingPolicy": "per-order" } },
                  {{routes}}
                },
                "Clusters": {
                  "c": { "Destinations": { "a": { "Address": "http://127.0.0.1:9001/" }, "b": { "Address": "http://127.0.0.1:9002/" } } },
                  "same": { "Destinations": { "x": { "Address": "http://LOCALHOST:9001/base/" } } },
                  "other": { "Destinations": { "x": { "Address": "http://127.0.0.1:9003/" } } }
                }
              },
              "FenceGateway": { "FencingPolicies": {
                "per-order": { "Resource": "orders/{id}" },
                "off": { "Resource": "{id}", "Mode": "Off" },
                "report": { "Resource": "x/{id}", "Mode": "Report" }
              } }
            }
            """);
        using var configuration = await folder.LoadAsync();
        var warnings = ConfigurationWarnings.Of(configuration.Current);
        return [.. warnings.Where(static warning => warning.Path.StartsWith("$.ReverseProxy", StringComparison.Ordinal))];
    }
}
