using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Tests.Configuration;

namespace FenceGateway.Gateway.Tests.RateLimiting;

/// <summary>What must hold between rate limits and the rest of the configuration.</summary>
public sealed class RateLimitConfigurationTests
{
    [Theory]
    [InlineData("\"RateLimiterPolicy\": \"by-addres\"", ".RateLimiterPolicy", "did you mean 'by-address'?")]
    [InlineData("\"RateLimiterPolicy\": \"Default\"", ".RateLimiterPolicy", "is YARP's word for the limit of every "
        + "route")]
    [InlineData("\"RateLimiterPolicy\": \"by-resource\"", ".RateLimiterPolicy", "the resource of the route's "
        + "FencingPolicy")]
    [InlineData("\"RateLimiterPolicy\": \"by-ID\"", ".RateLimiterPolicy", "no such parameter; parameters: order")]
    [InlineData("\"Metadata\": { \"RateLimiterPolicy\": \"by-address\" }", ".Metadata.RateLimiterPolicy", "belongs beside Metadata")]
    public async Task Route_Wrong_NamesPathAndRemedy(string members, string path, string message)
    {
        var problem = (await ProblemsAsync(members)).ShouldHaveSingleItem();
        problem.Path.ShouldBe("$.ReverseProxy.Routes.r" + path);
        problem.Message.ShouldContain(message);
    }

    [Theory]
    [InlineData("\"RateLimiterPolicy\": \"By-Address\"")]
    [InlineData("\"RateLimiterPolicy\": \"DISABLE\"")]
    [InlineData("\"RateLimiterPolicy\": \"by-order\"")]
    [InlineData("\"RateLimiterPolicy\": \"by-resource\", \"Metadata\": { \"FencingPolicy\": \"fenced\" }")]
    public async Task Route_Right_IsTaken(string members) => (await ProblemsAsync(members)).ShouldBeEmpty();

    [Theory]
    [InlineData("10.0.0.1", true)]
    [InlineData("10.0.0.0/8", true)]
    [InlineData("::1", true)]
    [InlineData("fd00::/8", true)]
    [InlineData("10.0.0.0/33", false)]
    [InlineData("1", false)]
    [InlineData("proxy.local", false)]
    public async Task TrustedProxies_AddressesAndNetworksOnly(string proxy, bool isRight)
    {
        var problems = await ConfigurationFolder.ProblemsAsync(Json.Gateway($$""" "Requests": { "TrustedProxies": [ "{{proxy}}" ] } """));
        if (isRight)
        {
            problems.ShouldBeEmpty();
            return;
        }

        problems.ShouldHaveSingleItem().Path.ShouldBe("$.FenceGateway.Requests.TrustedProxies[0]");
    }

    private static Task<IReadOnlyList<ConfigProblem>> ProblemsAsync(string route) => ConfigurationFolder.ProblemsAsync($$"""
        {
          "ReverseProxy": {
            "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/o/{order}" }, {{route}} } },
            "Clusters": { "c": { "Destinations": { "a": { "Address": "http://127.0.0.1:9001/" } } } }
          },
          "FenceGateway": {
            "FencingPolicies": { "fenced": { "Resource": "{order}" } },
            "RateLimiterPolicies": {
              "by-address": { "PartitionBy": [ "ClientAddress" ] },
              "by-resource": { "PartitionBy": [ "Resource" ] },
              "by-order": { "PartitionBy": [ "Route:Order" ] },
              "by-id": { "PartitionBy": [ "Route:id" ] }
            }
          }
        }
        """);
}
