using System.Net;
using System.Net.Sockets;
using FenceGateway.Gateway.Demo;

namespace FenceGateway.Gateway.Tests.Demo;

public sealed class DemoCommandTests : IDisposable
{
    private static readonly DemoArguments Once = new(
        Once: true, Port: 0, AdminPort: 0, ServicePort: 0, NoColor: true, []);

    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    public void Dispose()
    {
        _output.Dispose();
        _error.Dispose();
    }

    [Fact]
    public async Task Run_GatewayFences_TellsTheWholeStory()
    {
        var gateway = new FakeGateway();

        (await RunAsync(Once, gateway)).ShouldBe(0, _output.ToString());

        var told = _output.ToString();
        told.ShouldNotContain("NOT AS TOLD");
        told.ShouldNotContain("\u001b");
        told.ShouldContain("A > PUT /orders/42");
        told.ShouldContain("Fencing-Token: 33");
        told.ShouldContain("A < 409 Conflict");
        told.ShouldContain("Proxy-Status: fencegateway; error=http_request_denied");
        told.ShouldContain("shipped by B");
        told.ShouldContain("C was held back until B's write had ended");
        told.ShouldContain("What the fence cannot do");
        told.ShouldNotContain("Ctrl-C");
        told.Split("   OK  ").Length.ShouldBe(7, "six verdicts");
    }

    [Fact]
    public async Task Run_Afterwards_NothingIsLeft()
    {
        var gateway = new FakeGateway();

        (await RunAsync(Once, gateway)).ShouldBe(0);

        gateway.Disposed.ShouldBeTrue();
        Directory.Exists(Path.GetDirectoryName(gateway.ConfigFile)).ShouldBeFalse();
    }

    [Fact]
    public async Task Run_GatewayForwardsStaleWrites_FailsAtTheLateWrite()
    {
        (await RunAsync(Once, new FakeGateway { Fences = false })).ShouldBe(1);

        _output.ToString().ShouldContain("NOT AS TOLD  the late write with 33");
        _output.ToString().ShouldNotContain("5. ");
    }

    [Fact]
    public async Task Run_RefusedForAnotherReason_FailsAtTheLateWrite()
    {
        (await RunAsync(Once, new FakeGateway { ProblemType = "about:blank" })).ShouldBe(1);

        _output.ToString().ShouldContain("NOT AS TOLD  the late write with 33");
    }

    [Fact]
    public async Task Run_GatewayDoesNotDrain_FailsAtTheWriteThatHangs()
    {
        (await RunAsync(Once, new FakeGateway { Drains = false })).ShouldBe(1);

        _output.ToString().ShouldContain("NOT AS TOLD  C's write should have arrived only after B's had ended");
    }

    [Fact]
    public async Task Run_NobodyListens_Fails()
    {
        var demo = Demo(Once, (_, _, _) => Task.FromResult<IAsyncDisposable>(new MemoryStream()));

        (await demo.RunAsync(TestContext.Current.CancellationToken)).ShouldBe(1);

        _output.ToString().ShouldContain("NOT AS TOLD  no answer");
    }

    [Fact]
    public async Task Run_NotOnce_StaysUpUntilStopped()
    {
        using var stop = new CancellationTokenSource();
        using var output = new SignallingWriter("stay up until Ctrl-C");
        var gateway = new FakeGateway();
        var running = new DemoCommand(
            Once with { Once = false }, gateway.StartAsync, TimeProvider.System, output, _error)
            .RunAsync(stop.Token);

        (await Task.WhenAny(output.Seen, running)).ShouldBe(output.Seen);
        gateway.Disposed.ShouldBeFalse();
        await stop.CancelAsync();

        (await running).ShouldBe(0);
        gateway.Disposed.ShouldBeTrue();
        Directory.Exists(Path.GetDirectoryName(gateway.ConfigFile)).ShouldBeFalse();
    }

    [Fact]
    public async Task Run_StoppedInTheStory_FailsAndCleansUp()
    {
        using var stop = new CancellationTokenSource();
        using var output = new SignallingWriter("hangs there");
        var gateway = new FakeGateway();
        var running = new DemoCommand(Once, gateway.StartAsync, TimeProvider.System, output, _error).RunAsync(
            stop.Token);

        (await Task.WhenAny(output.Seen, running)).ShouldBe(output.Seen);
        await stop.CancelAsync();

        (await running).ShouldBe(1);
        output.ToString().ShouldContain("Stopped before the end of the story.");
        Directory.Exists(Path.GetDirectoryName(gateway.ConfigFile)).ShouldBeFalse();
    }

    [Theory]
    [InlineData("--port")]
    [InlineData("--admin-port")]
    [InlineData("--service-port")]
    public async Task Run_PortTaken_SaysWhichAndHowToChooseAnother(string option)
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;
        var arguments = option switch
        {
            "--port" => Once with { Port = port },
            "--admin-port" => Once with { AdminPort = port },
            _ => Once with { ServicePort = port },
        };

        (await RunAsync(arguments, new FakeGateway())).ShouldBe(1);

        _error.ToString().ShouldContain($"Port {port} of the ");
        _error.ToString().ShouldContain($"is taken. Choose another: {option} ");
        _output.ToString().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("--urls", "http://127.0.0.1:1")]
    [InlineData("--FenceGateway:Admin:Url=http://127.0.0.1:1")]
    public async Task Run_AddressAsSetting_IsBadUsage(params string[] settings)
    {
        (await RunAsync(Once with { Settings = settings }, new FakeGateway())).ShouldBe(2);

        _error.ToString().ShouldContain("--port");
    }

    [Fact]
    public async Task Run_Settings_ReachTheGatewayOverTheDemosOwn()
    {
        var gateway = new FakeGateway();

        (await RunAsync(Once with { Settings = ["--Serilog:MinimumLevel:Default=Debug"] }, gateway)).ShouldBe(0);

        var levels = gateway.Settings.Where(
            s => s.StartsWith("--Serilog:MinimumLevel:Default", StringComparison.Ordinal));
        levels.ShouldBe(["--Serilog:MinimumLevel:Default=Warning", "--Serilog:MinimumLevel:Default=Debug"]);
    }

    private Task<int> RunAsync(DemoArguments arguments, FakeGateway gateway) =>
        Demo(arguments, gateway.StartAsync).RunAsync(TestContext.Current.CancellationToken);

    private DemoCommand Demo(
        DemoArguments arguments, Func<string, string[], CancellationToken, Task<IAsyncDisposable>> startGateway) =>
        new(arguments, startGateway, TimeProvider.System, _output, _error);

    /// <summary>Says when a text has been written.</summary>
    private sealed class SignallingWriter(string text) : StringWriter
    {
        private readonly TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Seen => _seen.Task;

        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (value?.Contains(text, StringComparison.Ordinal) == true)
            {
                _seen.TrySetResult();
            }
        }
    }
}
