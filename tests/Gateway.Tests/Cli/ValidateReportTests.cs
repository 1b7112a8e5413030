using FenceGateway.Gateway.Cli;
using FenceGateway.Gateway.Tests.Configuration;

namespace FenceGateway.Gateway.Tests.Cli;

public sealed class ValidateReportTests
{
    private const string TwoRoutes = """
        {
          "ReverseProxy": {
            "Routes": {
              "orders": { "ClusterId": "c", "Match": { "Path": "/orders/{id}/{**rest}" }, "Metadata": { "FencingPolicy": "per-order" } },
              "all": { "ClusterId": "c", "Match": { "Hosts": [ "a.example" ], "Methods": [ "PUT", "POST" ] } }
            },
            "Clusters": { "c": { "Destinations": { "a": { "Address": "http://127.0.0.1:9001/" } } } }
          },
          "FenceGateway": {
            "TokenStore": { "Provider": "Redis", "Redis": { "Configuration": "a:1,password=s3cret" }, "RequireGrade": "Single" },
            "FencingPolicies": { "per-order": { "Resource": "orders/{id}" } }
          }
        }
        """;

    [Fact]
    public async Task Report_Plain_SaysInOneLineEachWhatIsInForce() =>
        (await ReportAsync(TwoRoutes, colour: false)).ShouldBe(
        """
        f.json is valid: 2 routes, 1 cluster, 1 fencing policy, 1 warning

        token store  Redis, KeyPrefix fg
        grade        Single or better
        fenced       orders  /orders/{id}/{**rest}        per-order: orders/{id}
        unfenced     all     PUT,POST a.example /{**any}
        warning      $.ReverseProxy.Routes.all: is not fenced, and leads to http://127.0.0.1:9001 as the fenced route 'orders' does: a stale holder can write through it; give it a fencing policy that enforces, or Match.Methods that only read

        """);

    [Fact]
    public async Task Report_OnATerminal_HasTheSameTextInColour()
    {
        var coloured = await ReportAsync(TwoRoutes, colour: true);

        coloured.ShouldContain("\e[32mfenced\e[0m       orders");
        coloured.ShouldContain("\e[33munfenced\e[0m     all");
        System.Text.RegularExpressions.Regex.Replace(coloured, "\e\\[[0-9]+m", "").ShouldBe(
            await ReportAsync(TwoRoutes, colour: false));
    }

    [Fact]
    public async Task Report_PolicyThatOnlyReports_IsUnfenced()
    {
        var report = await ReportAsync(
            TwoRoutes.Replace("\"orders/{id}\" }", "\"orders/{id}\", \"Mode\": \"Report\" }", StringComparison.Ordinal),
            colour: false);

        report.ShouldContain("unfenced     orders  /orders/{id}/{**rest}        per-order: orders/{id}, Mode Report");
    }

    [Fact]
    public async Task Report_Defaults_NamesTheFolderOfTheStoreAndThatAnyGradeWillDo()
    {
        var report = await ReportAsync(Json.Good, colour: false);

        report.ShouldContain("token store  Embedded, in data/tokens");
        report.ShouldContain("grade        any, for RequireGrade is not set");
        report.ShouldNotContain("warning");
    }

    private static async Task<string> ReportAsync(string json, bool colour)
    {
        using var folder = new ConfigurationFolder();
        folder.Write(json);
        using var configuration = await folder.LoadAsync();
        await using var output = new StringWriter { NewLine = "\n" };
        await new ValidateReport(output, colour).WriteAsync("f.json", configuration.Current);
        return output.ToString();
    }
}
