using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Crash;

/// <summary>What stops a real process from starting, and what it tells.</summary>
public sealed class StartFaultTests
{
    private static readonly Uri NoService = new("http://127.0.0.1:9/");

    [Theory]
    [InlineData(false, "--urls")]
    [InlineData(true, "--FenceGateway:Admin:Url")]
    public async Task Start_PortInUse_ExitsAndTellsHowToChooseAnother(bool admin, string hint)
    {
        using var files = new GatewayFiles(NoService);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var taken = ((IPEndPoint)listener.LocalEndpoint).Port;
        var options = admin
            ? new GatewayProcessOptions { ConfigFile = files.ConfigFile, AdminPort = taken }
            : new GatewayProcessOptions { ConfigFile = files.ConfigFile, Port = taken };

        await using var gateway = GatewayProcess.Launch(options);

        (await gateway.WaitForExitAsync()).ShouldBe(1);
        var error = string.Join('\n', gateway.Errors);
        error.ShouldContain(taken.ToString(CultureInfo.InvariantCulture));
        error.ShouldContain(hint);
        error.ShouldNotContain("   at ");

        // The store is not left behind as after a crash: the next start has nothing to wait for.
        await using var next = await GatewayProcess.StartAsync(
            new GatewayProcessOptions { ConfigFile = files.ConfigFile });
        next.Log.ShouldNotContain(
            l => l.GetProperty("message").GetString()!.Contains("was not clean", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Start_BadConfiguration_ExitsWithAllProblems()
    {
        using var files = new GatewayFiles(NoService, BreakThrice);

        await using var gateway = GatewayProcess.Launch(new GatewayProcessOptions { ConfigFile = files.ConfigFile });

        (await gateway.WaitForExitAsync()).ShouldBe(2);
        var error = string.Join('\n', gateway.Errors);
        error.ShouldContain("FenceGateway.FencingPolicies.per-order.Mode");
        error.ShouldContain("FenceGateway.FencingPolicies.per-order.DrainTimout");
        error.ShouldContain("ReverseProxy.Routes.orders");
        error.ShouldContain("3 problems");
        Directory.Exists(files.Tokens).ShouldBeFalse();
    }

    private static void BreakThrice(JsonObject json)
    {
        var policy = GatewayFiles.PolicyOf(json);
        policy["Mode"] = "Enforced";
        policy["DrainTimout"] = "00:00:01";
        json["ReverseProxy"]!["Routes"]!["orders"]!["ClusterId"] = "oders";
    }
}
