using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Cli;

/// <summary>The command line of the real executable: exit codes, and what goes to which stream.</summary>
public sealed class ProcessTests(ITestOutputHelper output)
{
    private static readonly Uri NoService = new("http://127.0.0.1:9/");

    [Fact]
    public async Task Version_PrintsNameAndVersion()
    {
        var run = await RunAsync("version");

        run.Code.ShouldBe(0);
        run.Output.ShouldMatch(@"^fencegateway \d+\.\d+\.\d+");
        run.Error.ShouldBeEmpty();
    }

    /// <summary>
    /// What a newcomer sees first: nothing is warned about, and no key is made that nobody asked for.
    /// </summary>
    [Fact]
    public async Task Run_ForTheFirstTime_WarnsOfNothing()
    {
        using var home = new TempFolder();
        using var files = new GatewayFiles(NoService);
        await using var gateway = await GatewayProcess.StartAsync(new GatewayProcessOptions
        {
            ConfigFile = files.ConfigFile,
            Environment = new Dictionary<string, string?> { ["HOME"] = home.Path },
        });

        gateway.Log.Select(line => line.GetProperty("level").GetString()).ShouldAllBe(level => level == "Information");
        gateway.Log.ShouldContain(
            line => line.GetProperty("message").GetString()!.EndsWith(
                "grade Strict; it lives as long as this process"));
        Directory.EnumerateFiles(home.Path, "*", SearchOption.AllDirectories).ShouldBeEmpty();
    }

    [Fact]
    public async Task Validate_GoodFile_SaysSo()
    {
        using var files = new GatewayFiles(NoService);

        var run = await RunAsync("validate", files.ConfigFile);

        run.Code.ShouldBe(0, run.Error);
        run.Output.ShouldStartWith($"{files.ConfigFile} is valid: 1 route, 1 cluster, 1 fencing policy\n");
        run.Output.ShouldNotContain("\e", customMessage: "only a terminal gets colours");
        run.Error.ShouldBeEmpty();
        Directory.Exists(files.Tokens).ShouldBeFalse("to validate is not to start");
    }

    [Fact]
    public async Task Validate_BadFile_NamesEachProblemWithItsPath()
    {
        using var files = new GatewayFiles(NoService, json =>
        {
            GatewayFiles.PolicyOf(json)["Barier"] = "Drain";
            GatewayFiles.PolicyOf(json)["InDoubtHold"] = "10";
            json["ReverseProxy"]!["Routes"]!["orders"]!["Metadata"]!["FencingPolicy"] = "per-oder";
        });

        var run = await RunAsync("validate", files.ConfigFile);

        run.Code.ShouldBe(2);
        run.Output.ShouldBeEmpty();
        var lines = run.Error.Split('\n');
        lines.ShouldContain(
            l => l.Contains("FenceGateway.FencingPolicies.per-order.Barier:") && l.Contains("'Barrier'"), run.Error);
        lines.ShouldContain(l => l.Contains("FenceGateway.FencingPolicies.per-order.InDoubtHold:"), run.Error);
        lines.ShouldContain(
            l => l.Contains("ReverseProxy.Routes.orders.Metadata.FencingPolicy:") && l.Contains("'per-order'"),
            run.Error);
        lines[^1].ShouldBe("3 problems in the configuration.");
    }

    [Theory]
    [InlineData("{ \"FenceGateway\": ")]
    [InlineData("")]
    public async Task Validate_NotJson_IsABadConfiguration(string text)
    {
        using var folder = new TempFolder();
        var file = folder.File("gateway.json");
        await File.WriteAllTextAsync(file, text);

        var run = await RunAsync("validate", file);

        run.Code.ShouldBe(2);
        run.Error.ShouldContain(file);
        run.Error.ShouldNotContain("   at ");
    }

    [Fact]
    public async Task Validate_MissingFile_IsABadConfiguration()
    {
        using var folder = new TempFolder();

        var run = await RunAsync("validate", folder.File("none.json"));

        run.Code.ShouldBe(2);
        run.Error.ShouldContain("none.json");
        run.Error.ShouldNotContain("   at ");
    }

    [Fact]
    public async Task ConfigSchema_PrintsAJsonSchema()
    {
        var run = await RunAsync("config", "schema");

        run.Code.ShouldBe(0);
        using var schema = JsonDocument.Parse(run.Output);
        schema.RootElement.GetProperty("properties").TryGetProperty("FenceGateway", out _).ShouldBeTrue();
    }

    [Fact]
    public async Task ConfigPrint_PrintsWhatIsInForce()
    {
        using var files = new GatewayFiles(NoService);

        var run = await RunAsync(
            "config", "print", "--config", files.ConfigFile, "--FenceGateway:Shutdown:Timeout=00:00:07");

        run.Code.ShouldBe(0, run.Error);
        var gateway = JsonNode.Parse(run.Output)!["FenceGateway"]!;
        gateway["Shutdown"]!["Timeout"]!.GetValue<string>().ShouldBe("00:00:07");
        gateway["FencingPolicies"]!["per-order"]!["InDoubtHold"]!.GetValue<string>().ShouldBe("00:00:00.5");
        gateway["FencingPolicies"]!["per-order"]!["Barrier"]!.GetValue<string>().ShouldBe(
            "Drain", "defaults are in force as well");
    }

    [Fact]
    public async Task Healthcheck_RunningAndStopped_TellsByItsExitCode()
    {
        using var files = new GatewayFiles(NoService);
        var options = new GatewayProcessOptions { ConfigFile = files.ConfigFile };
        string[] healthcheck =
            ["healthcheck", "--config", files.ConfigFile, $"--FenceGateway:Admin:Url=http://127.0.0.1:{options.AdminPort}"];
        await using (var gateway = await GatewayProcess.StartAsync(options))
        {
            var running = await RunAsync(healthcheck);
            running.Code.ShouldBe(0);
            running.Output.ShouldStartWith("ready: ");
            (await gateway.TerminateAsync()).ShouldBe(0);
        }

        var stopped = await RunAsync(healthcheck);
        stopped.Code.ShouldBe(1);
        stopped.Output.ShouldStartWith("not reachable: ");
    }

    [Fact]
    public async Task Healthcheck_GatewayHangs_GivesUpInTime()
    {
        using var files = new GatewayFiles(NoService);
        await using var gateway = await GatewayProcess.StartAsync(
            new GatewayProcessOptions { ConfigFile = files.ConfigFile });
        gateway.Signal(UnixSignal.Stop);

        var run = await RunAsync("healthcheck", "--url", $"{gateway.AdminAddress}healthz", "--timeout", "00:00:00.2");

        run.Code.ShouldBe(1);
        run.Output.ShouldContain("no answer in time");
    }

    [Theory]
    [InlineData("runn")]
    [InlineData("run --confg x.json")]
    [InlineData("validate --strict")]
    [InlineData("validate a.json b.json")]
    [InlineData("config prnt")]
    [InlineData("config")]
    [InlineData("healthcheck --timeout soon")]
    [InlineData("--FenceGatway:Admin:Url=http://127.0.0.1:1")]
    [InlineData("--urls")]
    public async Task Run_BadUsage_TellsWhereToLook(string arguments)
    {
        var run = await RunAsync(arguments.Split(' '));

        run.Code.ShouldBe(2);
        run.Error.ShouldContain("fencegateway --help");
        run.Error.ShouldNotContain("   at ");
    }

    [Theory]
    [InlineData("")]
    [InlineData("run")]
    [InlineData("demo")]
    [InlineData("validate")]
    [InlineData("config")]
    [InlineData("healthcheck")]
    [InlineData("version")]
    public async Task Help_OfEachVerb_IsPrinted(string verb)
    {
        var run = await RunAsync([.. verb.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);

        run.Code.ShouldBe(0);
        run.Output.ShouldContain("Usage:");
        run.Error.ShouldBeEmpty();
    }

    [Fact]
    public async Task Start_ToFirstAnswer_NeedsNothingElse()
    {
        await using var service = await JournalService.StartAsync();
        using var files = new GatewayFiles(service.Address);
        var started = TimeProvider.System.GetTimestamp();

        await using var gateway = GatewayProcess.Launch(new GatewayProcessOptions { ConfigFile = files.ConfigFile });
        await FirstAnswerAsync(gateway).WithinLimit("the first answer");

        var elapsed = TimeProvider.System.GetElapsedTime(started);
        output.WriteLine(
            $"{elapsed.TotalMilliseconds:0} ms from the start of the process to the first 200 through the gateway");
        service.Entries.Count.ShouldBe(1);
    }

    /// <summary>Sends a fenced write again and again until the gateway listens and forwards it.</summary>
    private static async Task FirstAnswerAsync(GatewayProcess gateway)
    {
        using var client = new HttpClient { BaseAddress = gateway.Address };
        while (true)
        {
            gateway.HasExited.ShouldBeFalse(string.Join('\n', gateway.Errors));
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Put, new Uri("orders/1", UriKind.Relative));
                request.Headers.Add("Fencing-Token", "1");
                request.Content = new StringContent("first");
                using var response = await client.SendAsync(request);
                response.StatusCode.ShouldBe(HttpStatusCode.OK);
                return;
            }
            catch (HttpRequestException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
            }
        }
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        await using var process = GatewayProcess.RunVerb(arguments);
        var code = await process.WaitForExitAsync();
        return (code, string.Join('\n', process.Output), string.Join('\n', process.Errors));
    }
}
