using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Demo;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Settings;

namespace FenceGateway.Gateway.Tests.Demo;

public sealed class DemoConfigurationTests : IDisposable
{
    private static readonly DemoPorts Ports = new(8080, 8081, 9001);

    private readonly string _folder = Directory.CreateTempSubdirectory("fencegateway demo \" ").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Write_Always_IsAConfigurationThatTheGatewayAccepts()
    {
        var arguments = new DemoArguments(Once: true, 0, 0, 0, NoColor: true, []);
        var file = await DemoConfiguration.WriteAsync(_folder, Ports, TestContext.Current.CancellationToken);

        using var configuration = await LastGoodConfiguration.LoadAsync(
            new GatewayArguments(file, DemoConfiguration.Settings(arguments, Ports)),
            TimeProvider.System,
            TestContext.Current.CancellationToken);

        var policy = configuration.Current.FencingPolicies["per-order"];
        policy.Barrier.ShouldBe(FenceBarrier.Drain);
        policy.DrainTimeout.ShouldBe(TimeSpan.FromSeconds(5));
        policy.Header.ShouldBe("Fencing-Token");
        configuration.Current.Options.Admin.Url.ShouldBe("http://127.0.0.1:8081");
    }
}
