using FenceGateway.Gateway.Tests.Configuration;

namespace FenceGateway.Gateway.Tests.Cors;

public sealed class CorsPolicyReaderTests
{
    [Theory]
    [InlineData(""" "AllowedOrigins": [ "https://shop.example" ] """)]
    [InlineData(""" "AllowedOrigins": [ "http://localhost:3000", "https://*.shop.example" ], "AllowCredentials": true """)]
    [InlineData(""" "AllowedOrigins": [ "*" ], "AllowedMethods": [ "GET", "PUT" ], "AllowedHeaders": [ "Fencing-Token" ] """)]
    [InlineData(""" "AllowedOrigins": [ "https://[::1]:8443" ], "ExposedHeaders": [ "X-Total" ], "MaxAge": "01:00:00" """)]
    [InlineData(""" "AllowedOrigins": [ "app://shop" ] """)]
    public async Task Policy_Good_IsTaken(string members) => (await ProblemsAsync(members)).ShouldBeEmpty();

    [Theory]
    [InlineData("", "AllowedOrigins", "is required")]
    [InlineData(""" "AllowedOrigins": [] """, "AllowedOrigins", "is required")]
    [InlineData(""" "AllowedOrigins": [ "shop.example" ] """, "AllowedOrigins[0]", "an origin")]
    [InlineData(""" "AllowedOrigins": [ "https://a.example", "https://shop.example/" ] """, "AllowedOrigins[1]", "an origin")]
    [InlineData(""" "AllowedOrigins": [ "https://shop.example/cart" ] """, "AllowedOrigins[0]", "an origin")]
    [InlineData(""" "AllowedOrigins": [ "https://shop.*" ] """, "AllowedOrigins[0]", "an origin")]
    [InlineData(""" "AllowedOrigins": [ "https://*" ] """, "AllowedOrigins[0]", "an origin")]
    [InlineData(""" "AllowedOrigins": [ "null" ] """, "AllowedOrigins[0]", "an origin")]
    [InlineData(""" "AllowedOrigins": [ "https://user@shop.example" ] """, "AllowedOrigins[0]", "an origin")]
    [InlineData(""" "AllowedOrigins": [ "*" ], "AllowedMethods": [ "G ET" ] """, "AllowedMethods[0]", "a method")]
    [InlineData(""" "AllowedOrigins": [ "*" ], "AllowedHeaders": [ "a:b" ] """, "AllowedHeaders[0]", "a header name")]
    [InlineData(""" "AllowedOrigins": [ "*" ], "ExposedHeaders": [ "a b" ] """, "ExposedHeaders[0]", "a header name")]
    [InlineData(""" "AllowedOrigins": [ "*" ], "AllowCredentials": true """, "AllowCredentials", "browsers refuse")]
    [InlineData(""" "AllowedOrigins": [ "*" ], "MaxAge": "2.00:00:00" """, "MaxAge", "out of range")]
    [InlineData(""" "AllowedOrigins": [ "*" ], "MaxAgee": "00:00:01" """, "MaxAgee", "did you mean 'MaxAge'")]
    public async Task Policy_Wrong_IsNamedWithItsPlace(string members, string key, string message)
    {
        var problem = (await ProblemsAsync(members)).ShouldHaveSingleItem();

        problem.ShouldStartWith($"$.FenceGateway.CorsPolicies.shop.{key}: ");
        problem.ShouldContain(message);
    }

    [Theory]
    [InlineData("shop", null)]
    [InlineData("SHOP", null)]
    [InlineData("Disable", null)]
    [InlineData("shopp", "$.ReverseProxy.Routes.r.CorsPolicy: names no CORS policy 'shopp'; did you mean 'shop'?")]
    [InlineData("Default", "$.ReverseProxy.Routes.r.CorsPolicy: names no CORS policy 'Default'")]
    public async Task Route_NamesAPolicyThatExists(string name, string? problem)
    {
        var problems = await ConfigurationFolder.ProblemsAsync($$"""
            {
              "ReverseProxy": {
                "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/o" }, "CorsPolicy": "{{name}}" } },
                "Clusters": { "c": { "Destinations": { "a": { "Address": "http://127.0.0.1:9001/" } } } }
              },
              "FenceGateway": { "CorsPolicies": { "shop": { "AllowedOrigins": [ "https://shop.example" ] } } }
            }
            """);

        (problems.SingleOrDefault()?.ToString() ?? "").ShouldStartWith(problem ?? "");
        problems.Count.ShouldBe(problem is null ? 0 : 1);
    }

    [Fact]
    public async Task Policy_NamedDisable_IsRefused() =>
        (await ConfigurationFolder.ProblemsAsync(
            Json.Gateway(""" "CorsPolicies": { "disable": { "AllowedOrigins": [ "*" ] } } """)))
        .ShouldHaveSingleItem().Message.ShouldContain("means no policy");

    private static async Task<IReadOnlyList<string>> ProblemsAsync(string members)
    {
        var json = Json.Gateway($$""" "CorsPolicies": { "shop": { {{members}} } } """);
        return [.. (await ConfigurationFolder.ProblemsAsync(json)).Select(problem => problem.ToString())];
    }
}
