using FenceGateway.Gateway.Demo;

namespace FenceGateway.Gateway.Tests.Demo;

public sealed class DemoScreenTests : IDisposable
{
    private readonly StringWriter _output = new();

    public void Dispose() => _output.Dispose();

    [Fact]
    public void Response_Problem_HasOneMemberALine()
    {
        var screen = new DemoScreen(_output, plain: true);
        var body = "{\"type\":\"urn:x\",\"status\":409}";

        screen.Response(
            "A",
            new DemoResponse(
                409, "Conflict", ["Proxy-Status: x"], "application/problem+json", body, TimeSpan.FromMilliseconds(4)));

        var lines = _output.ToString().Split(Environment.NewLine).Select(l => l.Trim());
        lines.ShouldBe(
            ["A < 409 Conflict after 4 ms", "Proxy-Status: x", "{", "\"type\": \"urn:x\",", "\"status\": 409", "}", ""]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Response_BodyThatLooksLikeMarkup_IsShownAsItIs(bool plain)
    {
        var screen = new DemoScreen(_output, plain);

        screen.Response("A", new DemoResponse(200, "[OK]", [], "text/plain", "[red]{[/]", TimeSpan.FromSeconds(3)));

        _output.ToString().ShouldContain("[red]{[/]");
        _output.ToString().ShouldContain("[OK]");
        _output.ToString().ShouldContain("3.000 s");
    }

    [Fact]
    public void Line_Plain_HasNoEscapeSequences()
    {
        new DemoScreen(_output, plain: true).Line("[bold red]x[/] [[y]]");

        _output.ToString().ShouldBe($"x [y]{Environment.NewLine}");
    }

    [Fact]
    public void Text_LongerThanTheTerminal_IsNotBroken()
    {
        var line = string.Join(' ', Enumerable.Repeat("curl", 60));

        new DemoScreen(_output, plain: false).Text(line);

        _output.ToString().ShouldContain(line);
    }
}
