using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Tests.Configuration;

namespace FenceGateway.Gateway.Tests.Settings;

/// <summary>Each configuration here is fine for YARP's own checks, and would be answered with 404 or 500.</summary>
public sealed class RouterProofTests
{
    [Theory]
    [InlineData("/new/{id:uuid}", "'uuid' could not be resolved")]
    [InlineData("/new/{id:regex(()}", "Not enough )'s")]
    [InlineData("/new/{id:int(5)}", "IntRouteConstraint")]
    [InlineData("/new/{id:range(1)}", "RangeRouteConstraint")]
    [InlineData("/new/{id:length(x)}", "x")]
    public async Task Constraint_CannotBeMade_IsAProblemOfItsRoute(string path, string message)
    {
        var problem = (await ProblemsAsync($$""" "bad": { "Path": "{{path}}" } """, """ "good": { "Path": "/good/{id:int}" } """)).ShouldHaveSingleItem();

        problem.Path.ShouldBe("$.ReverseProxy.Routes.bad.Match.Path");
        problem.Message.ShouldStartWith("cannot be matched: ");
        problem.Message.ShouldContain(message);
    }

    [Theory]
    [InlineData(""" "Path": "/a" """, """ "Path": "/A" """, "GET localhost/A")]
    [InlineData(""" "Path": "/a/{id}" """, """ "Path": "/a/{key}" """, "GET localhost/a/x")]
    [InlineData(""" "Path": "/a/{id?}" """, """ "Path": "/a/{key}" """, "GET localhost/a/x")]
    [InlineData(""" "Path": "/{**all}" """, """ "Path": "{**rest}" """, "GET localhost/x")]
    [InlineData(""" "Hosts": [ "a.example", "b.example" ] """, """ "Hosts": [ "b.example" ] """, "GET b.example/x")]
    [InlineData(""" "Path": "/a", "Methods": [ "PUT", "POST" ] """, """ "Path": "/a", "Methods": [ "POST", "DELETE" ] """, "POST localhost/a")]
    [InlineData(""" "Path": "/a/{id:int}" """, """ "Path": "/a/{id:long}" """, "GET localhost/a/1")]
    [InlineData(""" "Path": "/a/{id:int}" """, """ "Path": "/a/{id:range(700,800)}" """, "GET localhost/a/700")]
    [InlineData(""" "Path": "/a/{id:guid}/{n:int}" """, """ "Path": "/a/{id:guid}/{n:min(3)}" """, "/1000")]
    [InlineData(""" "Path": "/a/{id:regex(^v\\d{{1,3}}-$)}" """, """ "Path": "/a/{key:regex(^v\\d{{1,3}}-$)}" """, "the same requests")]
    [InlineData(""" "Path": "/a/{x}.{y}" """, """ "Path": "/a/{x}-{y}" """, "GET localhost/a/")]
    [InlineData(""" "Path": "/a", "Headers": [ { "Name": "X-A", "Mode": "Exists" } ] """,
        """ "Path": "/a", "Headers": [ { "Name": "X-B", "Values": [ "1" ] } ] """, "GET localhost/a")]
    [InlineData(""" "Path": "/a", "QueryParameters": [ { "Name": "a", "Values": [ "1" ] } ] """,
        """ "Path": "/a", "QueryParameters": [ { "Name": "b", "Mode": "Exists" } ] """, "GET localhost/a?")]
    public async Task TwoRoutes_MatchTheSameRequestEquallyWell_AreOneProblem(
        string first, string second, string request)
    {
        var problem = (await ProblemsAsync($$""" "one": { {{first}} } """, $$""" "two": { {{second}} } """)).ShouldHaveSingleItem();

        problem.Path.ShouldBe("$.ReverseProxy.Routes.two");
        problem.Message.ShouldContain(request);
        problem.Message.ShouldContain("the route 'one' does");
        problem.Message.ShouldContain("another Order");
    }

    [Theory]
    [InlineData(""" "Path": "/a" """, """ "Path": "/b" """)]
    [InlineData(""" "Path": "/a/{id}" """, """ "Path": "/a/{**rest}" """)]
    [InlineData(""" "Path": "/a/{id:int}" """, """ "Path": "/a/{id:guid}" """)]
    [InlineData(""" "Path": "/a/{id:range(1,9)}" """, """ "Path": "/a/{id:range(700,800)}" """)]
    [InlineData(""" "Path": "/a", "Methods": [ "PUT" ] """, """ "Path": "/a", "Methods": [ "POST" ] """)]
    [InlineData(""" "Path": "/a", "Methods": [ "PUT" ] """, """ "Path": "/a" """)]
    [InlineData(""" "Hosts": [ "a.example" ] """, """ "Hosts": [ "b.example" ] """)]
    [InlineData(""" "Hosts": [ "a.example" ] """, """ "Path": "/{**all}" """)]
    [InlineData(""" "Path": "/a", "Headers": [ { "Name": "X-V", "Values": [ "1" ] } ] """,
        """ "Path": "/a", "Headers": [ { "Name": "X-V", "Values": [ "2" ] } ] """)]
    [InlineData(""" "Path": "/a", "Headers": [ { "Name": "X-V", "Values": [ "1" ] } ] """, """ "Path": "/a" """)]
    public async Task TwoRoutes_NoRequestMatchesBothEquallyWell_AreGood(string first, string second) =>
        (await ProblemsAsync($$""" "one": { {{first}} } """, $$""" "two": { {{second}} } """)).ShouldBeEmpty();

    [Fact]
    public async Task TwoRoutes_WithOrders_AreGood() => (await ConfigurationFolder.ProblemsAsync("""
        {
          "ReverseProxy": {
            "Routes": {
              "one": { "ClusterId": "c", "Match": { "Path": "/a" }, "Order": 1 },
              "two": { "ClusterId": "c", "Match": { "Path": "/a" }, "Order": 2 }
            },
            "Clusters": { "c": {} }
          }
        }
        """)).ShouldBeEmpty();

    /// <summary>No service is asked anything by a check, whatever the cluster says about its health.</summary>
    [Fact]
    public async Task ManyRoutes_WithHealthChecks_AreGoodAndNothingIsSent()
    {
        using var service = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        service.Start();
        var routes = string.Join(',', Enumerable.Range(0, 500).Select(i => $$""" "r{{i}}": { "ClusterId": "c", "Match": { "Path": "/r{{i}}/{id}/{**rest}" } } """));

        (await ConfigurationFolder.ProblemsAsync($$"""
            {
              "ReverseProxy": {
                "Routes": { {{routes}} },
                "Clusters": { "c": {
                  "HealthCheck": { "Active": { "Enabled": true, "Interval": "00:00:01", "Path": "/" } },
                  "Destinations": { "a": { "Address": "http://{{service.LocalEndpoint}}/" } }
                } }
              }
            }
            """)).ShouldBeEmpty();

        service.Pending().ShouldBeFalse();
    }

    private static Task<IReadOnlyList<ConfigProblem>> ProblemsAsync(params string[] matches) => ConfigurationFolder.ProblemsAsync($$"""
        {
          "ReverseProxy": {
            "Routes": { {{string.Join(',', matches.Select(Route))}} },
            "Clusters": { "c": { "Destinations": { "a": { "Address": "http://127.0.0.1:9001/" } } } }
          }
        }
        """);

    /// <summary>A name with its match as a route.</summary>
    private static string Route(string match)
    {
        var colon = match.IndexOf(':', StringComparison.Ordinal);
        return $$"""{{match[..colon]}}: { "ClusterId": "c", "Match": {{match[(colon + 1)..]}} }""";
    }
}
