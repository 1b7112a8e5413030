using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Cli;

/// <summary>
/// What <c>validate</c> accepts also starts, and what it refuses does not: with real processes, and with the files of
/// the repository. Mutations of them are tried in one process, in Gateway.Tests.
/// </summary>
public sealed class ConfigurationProcessTests
{
    private static readonly Uri NoService = new("http://127.0.0.1:9/");

    public static TheoryData<string> RepositoryFiles =>
        [.. Directory.EnumerateFiles(ConfigFolder, "*.json").Select(Path.GetFileName).OfType<string>().Where(static name => name != "gateway.schema.json")];

    private static string ConfigFolder
    {
        get
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(folder!.FullName, "FenceGateway.sln")))
            {
                folder = folder.Parent;
            }

            return Path.Combine(folder.FullName, "config");
        }
    }

    [Theory]
    [MemberData(nameof(RepositoryFiles))]
    public async Task File_OfTheRepository_IsValidAndStarts(string name)
    {
        var file = Path.Combine(ConfigFolder, name);
        using var folder = new TempFolder();

        var run = await RunAsync("validate", file);
        run.Code.ShouldBe(0, run.Error);
        run.Output.ShouldStartWith($"{file} is valid: ");
        run.Output.ShouldNotContain("warning");

        List<string> settings = [$"--FenceGateway:Idempotency:Path={folder.File("answers")}"];
        if (run.Output.Contains("\ntoken store  Embedded", StringComparison.Ordinal))
        {
            settings.Add($"--FenceGateway:TokenStore:Embedded:Path={folder.File("tokens")}");
        }

        // A shared store is not there, which keeps no gateway from starting.
        await using var gateway = GatewayProcess.Launch(
            new GatewayProcessOptions { ConfigFile = file, Arguments = settings });
        await gateway.WaitForLineAsync(static line => line.Contains("Now listening on", StringComparison.Ordinal));
        (await gateway.TerminateAsync()).ShouldBe(0);
    }

    [Theory]
    [InlineData("routes:/orders/{id:uuid}", "$.ReverseProxy.Routes.more.Match.Path")]
    [InlineData("routes:/orders/{key}", "$.ReverseProxy.Routes.orders")]
    [InlineData("--Kestrel:Endpoints:a:Url=https://127.0.0.1:0", "$.Kestrel.Endpoints.a.Certificate")]
    [InlineData("--Kestrel:Certificates:Default:Path=none.pfx", "$.Kestrel.Certificates.Default")]
    [InlineData("--Serilog:MinimumLevel=Chatty", "$.Serilog.MinimumLevel")]
    [InlineData("--Serilog:Using:0=No.Such", "$.Serilog")]
    [InlineData("--FenceGateway:TokenStore:Redis:Configuration=127.0.0.1:6379", "$.FenceGateway.TokenStore.Redis")]
    public async Task Configuration_CannotBeInForce_ValidateAndRunSayTheSameWithoutAStackTrace(
        string fault, string place)
    {
        using var files = new GatewayFiles(NoService, json =>
        {
            if (fault.Split("routes:") is [_, var path])
            {
                var more = json["ReverseProxy"]!["Routes"]!["orders"]!.DeepClone();
                more["Match"]!["Path"] = path;
                more.AsObject().Remove("Metadata");
                json["ReverseProxy"]!["Routes"]!["more"] = more;
            }
        });
        string[] arguments =
            ["--config", files.ConfigFile, "--urls=http://127.0.0.1:0", "--FenceGateway:Admin:Url=http://127.0.0.1:0",
            .. fault.StartsWith("--", StringComparison.Ordinal) ? [fault] : Array.Empty<string>()];

        var validated = await RunAsync(["validate", .. arguments]);
        var run = await RunAsync(["run", .. arguments]);

        validated.Code.ShouldBe(2, validated.Output);
        validated.Error.ShouldStartWith($"{place}: ");
        validated.Error.ShouldEndWith("1 problem in the configuration.");
        validated.Error.Split('\n').Length.ShouldBe(2, "one line for each problem");
        run.ShouldBe(validated);
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        await using var process = GatewayProcess.RunVerb(arguments);
        var code = await process.WaitForExitAsync();
        return (code, string.Join('\n', process.Output), string.Join('\n', process.Errors));
    }
}
