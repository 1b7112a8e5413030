using FenceGateway.Gateway.Tests.Configuration;
namespace FenceGateway.Gateway.Tests.Fencing;

/// <summary>
/// On a fenced route the service gets the request that the fence has judged, whatever is transformed.
/// </summary>
public sealed class FencedTransformRulesTests
{
    private const string Template = "o/{id}/{query:part}/{header:X-Shop}";

    [Theory]
    [InlineData("""{ "HttpMethodChange": "GET", "Set": "PUT" }""", "changes the method of a fenced request")]
    [InlineData("""{ "HttpMethodChange": "POST", "Set": "PUT" }""", "changes the method of a fenced request")]
    [InlineData("""{ "RequestHeaderRemove": "Fencing-Token" }""", "touches 'Fencing-Token': the service gets the token")]
    [InlineData("""{ "RequestHeader": "fencing-token", "Set": "1" }""", "touches 'fencing-token'")]
    [InlineData("""{ "RequestHeader": "Fencing-Token", "Append": "1" }""", "touches 'Fencing-Token'")]
    [InlineData("""{ "RequestHeader": "X-Fencing-Token", "Set": "1" }""", "touches 'X-Fencing-Token'")]
    [InlineData("""{ "RequestHeader": "Fencing.Token", "Set": "1" }""", "touches 'Fencing.Token'")]
    [InlineData("""{ "RequestHeaderRouteValue": "Fencing-Token", "Set": "id" }""", "touches 'Fencing-Token'")]
    [InlineData("""{ "ClientCert": "Fencing_Token" }""", "touches 'Fencing_Token'")]
    [InlineData("""{ "RequestHeader": "X-HTTP-Method-Override", "Set": "PUT" }""", "a second method that the fence does not see")]
    [InlineData("""{ "RequestHeader": "Destination", "Set": "/api/o/2" }""", "names the second resource of a MOVE or COPY")]
    [InlineData("""{ "RequestHeaderRouteValue": "destination", "Set": "id" }""", "names the second resource of a MOVE or COPY")]
    [InlineData("""{ "RequestHeader": "X-Shop", "Set": "1" }""", "touches 'X-Shop', which names the resource")]
    [InlineData("""{ "RequestHeaderRemove": "X_Shop" }""", "touches 'X_Shop', which names the resource")]
    [InlineData("""{ "X-Forwarded": "Off", "For": "Set", "HeaderPrefix": "X-Shop-" }""", null)]
    [InlineData("""{ "X-Forwarded": "Set", "HeaderPrefix": "Fencing-" }""", null)]
    [InlineData("""{ "QueryValueParameter": "part", "Set": "1" }""", "touches the query parameter 'part'")]
    [InlineData("""{ "QueryRouteParameter": "PART", "Append": "id" }""", "touches the query parameter 'PART'")]
    [InlineData("""{ "QueryRemoveParameter": "part" }""", "touches the query parameter 'part'")]
    [InlineData("""{ "PathSet": "/x" }""", "drops {id}, which names the resource")]
    [InlineData("""{ "PathPattern": "/x/{rest}" }""", "has no {id}, which names the resource")]
    [InlineData("""{ "PathRemovePrefix": "/api/o/1" }""", "from some paths of the route only")]
    [InlineData("""{ "PathRemovePrefix": "/other" }""", "from some paths of the route only")]
    [InlineData("""{ "RequestHeader": "X-Other", "Set": "1" }""", null)]
    [InlineData("""{ "RequestHeaderRemove": "X-Other" }""", null)]
    [InlineData("""{ "RequestHeadersCopy": "true" }""", null)]
    [InlineData("""{ "RequestHeadersAllowed": "Accept;fencing-token;X-Shop" }""", null)]
    [InlineData("""{ "QueryValueParameter": "other", "Set": "1" }""", null)]
    [InlineData("""{ "PathPrefix": "/v1" }""", null)]
    [InlineData("""{ "PathRemovePrefix": "/api" }""", null)]
    [InlineData("""{ "PathRemovePrefix": "/api/o/" }""", null)]
    [InlineData("""{ "PathPattern": "/v1/{id}" }""", null)]
    [InlineData("""{ "ResponseHeader": "Fencing-Token", "Set": "1" }""", null)]
    public async Task Transform_OfAFencedRoute_IsRefusedIfTheServiceGetsAnotherRequest(
        string transform, string? message)
    {
        var problems = await ConfigurationFolder.ProblemsAsync(Fenced($$"""{ "X-Forwarded": "Set" }, {{transform}}"""));
        if (message is null)
        {
            problems.ShouldBeEmpty();
            return;
        }

        var problem = problems.ShouldHaveSingleItem();
        problem.Path.ShouldBe("$.ReverseProxy.Routes.r.Transforms[1]");
        problem.Message.ShouldContain(message);
    }

    [Theory]
    [InlineData("""{ "RequestHeadersCopy": "false" }""")]
    [InlineData("""{ "RequestHeadersAllowed": "Accept" }""")]
    public async Task Headers_NotCopied_TokenAndWhatNamesTheResourceAreMissed(string transform)
    {
        var problems = await ConfigurationFolder.ProblemsAsync(Fenced(transform));

        problems.ShouldAllBe(p => p.Path == "$.ReverseProxy.Routes.r.Transforms[0]");
        problems.Count.ShouldBe(2);
        problems[0].Message.ShouldContain("keeps Fencing-Token from the service, which has to get the token");
        problems[1].Message.ShouldContain("keeps 'X-Shop' from the service");
    }

    [Fact]
    public async Task Headers_NotCopiedButAllowed_AreSentOn() =>
        (await ConfigurationFolder.ProblemsAsync(
            Fenced("""{ "RequestHeadersCopy": "false" }, { "RequestHeadersAllowed": "Fencing-Token" }, { "RequestHeadersAllowed": "X-Shop" }""")))
        .ShouldBeEmpty();

    [Theory]
    [InlineData("X-Forwarded-Host", "", 1)]
    [InlineData("X_Forwarded_For", "", 1)]
    [InlineData("X-Forwarded-Host", """{ "X-Forwarded": "Off" }""", 0)]
    [InlineData("X-Forwarded-Host", """{ "X-Forwarded": "Off", "Host": "Append" }""", 1)]
    [InlineData("X-Forwarded-Host", """{ "X-Forwarded": "Set", "Host": "Off" }""", 0)]
    [InlineData("X-Forwarded-Host", """{ "Forwarded": "for" }""", 0)]
    [InlineData("Forwarded", """{ "Forwarded": "for" }""", 1)]
    [InlineData("X-Forwarded-Client", "", 0)]
    [InlineData("Forwarded", "", 1)]
    [InlineData("X-Forwarded-Port", "", 1)]
    [InlineData("X-Real-IP", "", 1)]
    [InlineData("X-Real-IP", """{ "X-Forwarded": "Off" }""", 0)]
    public async Task Forwarded_NamesTheResource_IsRefusedIfTheGatewayWritesIt(
        string header, string transform, int problems) =>
        (await ConfigurationFolder.ProblemsAsync(Fenced(transform, template: $"o/{{header:{header}}}"))).Count.ShouldBe(
            problems);

    [Theory]
    [InlineData("Report", 1)]
    [InlineData("Off", 0)]
    public async Task Mode_OfThePolicy_DecidesWhetherItMatters(string mode, int problems) =>
        (await ConfigurationFolder.ProblemsAsync(Fenced("""{ "HttpMethodChange": "GET", "Set": "PUT" }""", mode))).Count.ShouldBe(problems);

    [Fact]
    public async Task Transform_OfARouteWithoutAPolicy_IsItsOwnBusiness() =>
        (await ConfigurationFolder.ProblemsAsync(Json.Route(
            """ "Match": { "Path": "/o/{id}" }, "Transforms": [ { "HttpMethodChange": "GET", "Set": "PUT" }, { "RequestHeadersCopy": "false" } ] """)))
        .ShouldBeEmpty();

    private static string Fenced(string transforms, string mode = "Enforce", string template = Template) => $$"""
        {
          "ReverseProxy": {
            "Routes": {
              "r": {
                "ClusterId": "c", "Match": { "Path": "/api/o/{id}/{**rest}" }, "Metadata": { "FencingPolicy": "p" },
                "Transforms": [ {{transforms}} ]
              }
            },
            "Clusters": { "c": { "Destinations": { "a": { "Address": "http://127.0.0.1:9001/" } } } }
          },
          "FenceGateway": {
            "FencingPolicies": { "p": { "Resource": "{{template}}", "HeaderAliases": [ "X-Fencing-Token" ], "Mode": "{{mode}}" } }
          }
        }
        """;
}
