using System.Text.Json.Nodes;
using FenceGateway.Gateway.Cli;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Demo;
using FenceGateway.Gateway.Settings;
using FenceGateway.Gateway.Tests.Configuration;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace FenceGateway.Gateway.Tests.Cli;

public sealed class CommandLineAppTests : IDisposable
{
    private readonly ConfigurationFolder _folder = new();
    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();
    private GatewayArguments? _run;
    private DemoArguments? _demo;

    [Theory]
    [InlineData("")]
    [InlineData("run")]
    public async Task Run_WithoutOptions_IsTheDefaultVerb(string arguments)
    {
        (await InvokeLineAsync(arguments)).ShouldBe(42);
        _run.ShouldNotBeNull();
        _run.ConfigFile.ShouldBeNull();
        _run.Settings.ShouldBeEmpty();
    }

    [Fact]
    public async Task Run_SettingsInAllForms_ArePassedOnInOrder()
    {
        (await InvokeLineAsync(
            "--FenceGateway:Admin:Url http://x --config f.json --Urls=http://y --environment Test "
                + "--Kestrel:a:b=c=d")).ShouldBe(42);
        _run!.ConfigFile.ShouldBe("f.json");
        _run.Settings.ShouldBe(
            ["--FenceGateway:Admin:Url", "http://x", "--Urls=http://y", "--environment", "Test", "--Kestrel:a:b=c=d"]);
    }

    [Fact]
    public async Task Demo_AllOptions_ArePassedOn()
    {
        (await InvokeLineAsync("demo --once --port 1 --admin-port 2 --service-port 65535 --no-color --Serilog:x=y"))
            .ShouldBe(43);
        string[] settings = _demo!.Settings;
        _demo.ShouldBe(new DemoArguments(true, 1, 2, 65535, true, settings));
        settings.ShouldBe(["--Serilog:x=y"]);
    }

    [Theory]
    [InlineData("rn", "no verb 'rn'; did you mean 'run'?")]
    [InlineData("--cofnig f", "'--cofnig': did you mean '--config'?")]
    [InlineData("run --url http://x", "'--url': did you mean '--urls'?")]
    [InlineData("run --urls", "'--urls' needs a value")]
    [InlineData("run --urls --config f", "'--urls' needs a value")]
    [InlineData("run --FenceGatway:Admin:Url=x", "did you mean 'FenceGateway'?")]
    [InlineData("run extra", "'extra'")]
    [InlineData("run --config", "--config")]
    [InlineData("demo --prot 1", "'--prot': did you mean '--port'?")]
    [InlineData("demo --port=-1", "0 to 65535")]
    [InlineData("demo --port abc", "abc")]
    [InlineData("config prnt", "did you mean 'print'?")]
    [InlineData("config", "Required command")]
    [InlineData("config schema --urls x", "takes no settings")]
    [InlineData("version --urls x", "takes no settings")]
    [InlineData("validate a --config b", "once")]
    [InlineData("healthcheck --timeout 3", "duration")]
    [InlineData("healthcheck --url nonsense", "no http address")]
    public async Task BadUsage_AnyVerb_ExitsWith2AndSaysWhy(string arguments, string message)
    {
        (await InvokeLineAsync(arguments)).ShouldBe(2);
        _error.ToString().ShouldContain(message);
        _output.ToString().ShouldBeEmpty();
        _run.ShouldBeNull();
        _demo.ShouldBeNull();
    }

    [Theory]
    [InlineData("--help", "fencegateway demo")]
    [InlineData("run --help", "--config")]
    [InlineData("run -h", "SIGHUP")]
    [InlineData("demo --help", "--service-port")]
    [InlineData("validate --help", "PATH: message")]
    [InlineData("config print --help", "secrets left out")]
    [InlineData("config schema --help", "$schema")]
    [InlineData("healthcheck --help", "--timeout")]
    public async Task Help_AnyVerb_Teaches(string arguments, string text)
    {
        (await InvokeLineAsync(arguments)).ShouldBe(0);
        _output.ToString().ShouldContain(text);
        _output.ToString().ShouldContain("Examples:");
    }

    [Fact]
    public async Task Validate_GoodFile_CountsWhatIsInIt()
    {
        _folder.Write(Json.Good);
        (await InvokeAsync("validate", _folder.File)).ShouldBe(0);
        _output.ToString().ShouldStartWith(
            $"{_folder.File} is valid: 1 route, 1 cluster, 1 fencing policy{Environment.NewLine}");
    }

    [Theory]
    [InlineData("validate")]
    [InlineData("validate --config")]
    [InlineData("config print --config")]
    public async Task Configuration_Bad_ExitsWith2AndNamesEveryProblem(string verb)
    {
        _folder.Write(Json.Gateway("\"Admn\": {}, \"Shutdwn\": {}"));
        (await InvokeAsync([.. verb.Split(' '), _folder.File])).ShouldBe(2);
        _error.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).ShouldBe(
        [
            "$.FenceGateway.Admn: is an unknown key; did you mean 'Admin'?",
            "$.FenceGateway.Shutdwn: is an unknown key; did you mean 'Shutdown'?",
            "2 problems in the configuration.",
        ]);
        _output.ToString().ShouldBeEmpty();
    }

    [Fact]
    public async Task Run_ConfigurationRejected_ExitsWith2()
    {
        var app = new CommandLineApp(
            (_, _) => throw new ConfigurationRejectedException([new("$.a", "is wrong")]),
            (_, _) => Task.FromResult(0),
            TimeProvider.System,
            _output,
            _error);
        (await app.InvokeAsync([], TestContext.Current.CancellationToken)).ShouldBe(2);
        _error.ToString().ShouldContain("$.a: is wrong");
    }

    [Fact]
    public async Task ConfigPrint_WithSettings_ShowsWhatWouldBeInForce()
    {
        _folder.Write(Json.Good);
        (await InvokeAsync("config", "print", "--config", _folder.File, "--FenceGateway:Shutdown:Delay=00:00:07"))
            .ShouldBe(0);
        var json = JsonNode.Parse(_output.ToString())!;
        json["FenceGateway"]!["Shutdown"]!["Delay"]!.ToString().ShouldBe("00:00:07");
        json["FenceGateway"]!["Shutdown"]!["Timeout"]!.ToString().ShouldBe("00:00:30");
    }

    [Fact]
    public async Task ConfigSchema_Printed_IsTheSchema()
    {
        (await InvokeLineAsync("config schema")).ShouldBe(0);
        _output.ToString().ShouldBe(ConfigurationSchema.Text());
    }

    [Fact]
    public async Task Version_Printed_NamesProductAndRuntime()
    {
        (await InvokeLineAsync("version")).ShouldBe(0);
        _output.ToString().ShouldStartWith($"fencegateway {VersionVerb.Version}");
        _output.ToString().ShouldContain(".NET 10");
    }

    [Theory]
    [InlineData(200, 0, "ready: ")]
    [InlineData(503, 1, "not ready: ")]
    public async Task Healthcheck_GatewayAnswers_ExitCodeAndOneLineSayWhat(int status, int exitCode, string start)
    {
        await using var admin = await AdminAsync(status);
        var url = admin.Urls.Single();
        _folder.Write(Json.Gateway($$""" "Admin": { "Url": "{{url}}" } """));

        (await InvokeAsync("healthcheck", "--config", _folder.File)).ShouldBe(exitCode);

        _output.ToString().Trim().ShouldBe($"{start}{url}/healthz answered {status}");
    }

    [Fact]
    public async Task Healthcheck_FileBrokenMeanwhile_StillAsksTheRunningGateway()
    {
        await using var admin = await AdminAsync(200);
        var url = admin.Urls.Single();
        _folder.Write(Json.Gateway($$""" "Admn": {}, "Admin": { "Url": "{{url}}" } """));
        (await InvokeAsync("healthcheck", "--config", _folder.File)).ShouldBe(0);

        _folder.Write("{ broken");
        (await InvokeAsync("healthcheck", "--config", _folder.File, $"--FenceGateway:Admin:Url={url}")).ShouldBe(0);
    }

    [Fact]
    public async Task Healthcheck_NobodyListens_Fails()
    {
        string url;
        await using (var admin = await AdminAsync(200))
        {
            url = admin.Urls.Single();
        }

        (await InvokeAsync("healthcheck", "--url", url)).ShouldBe(1);
        _output.ToString().ShouldStartWith($"not reachable: {url}/");
    }

    [Fact]
    public async Task Healthcheck_NoAnswer_FailsAfterItsTimeout()
    {
        await using var admin = await AdminAsync(status: 0);
        (await InvokeAsync("healthcheck", "--url", admin.Urls.Single(), "--timeout", "00:00:00.050")).ShouldBe(1);
        _output.ToString().ShouldContain("no answer in time");
    }

    /// <summary>Answers /healthz with <paramref name="status"/>; with 0 it never answers.</summary>
    private static async Task<WebApplication> AdminAsync(int status)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        var admin = builder.Build();
        admin.Run(async context =>
        {
            if (status == 0)
            {
                await new TaskCompletionSource().Task.WaitAsync(context.RequestAborted);
            }

            context.Response.StatusCode = context.Request.Path == "/healthz" ? status : StatusCodes.Status404NotFound;
        });
        await admin.StartAsync(TestContext.Current.CancellationToken);
        return admin;
    }

    private Task<int> InvokeLineAsync(string arguments) =>
        InvokeAsync(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private Task<int> InvokeAsync(params string[] arguments) => new CommandLineApp(
        (run, _) =>
        {
            _run = run;
            return Task.FromResult(42);
        },
        (demo, _) =>
        {
            _demo = demo;
            return Task.FromResult(43);
        },
        TimeProvider.System,
        _output,
        _error).InvokeAsync(arguments, TestContext.Current.CancellationToken);

    public void Dispose()
    {
        _folder.Dispose();
        _output.Dispose();
        _error.Dispose();
    }
}
