using System.Text.RegularExpressions;
using FenceGateway.Gateway.Cli;
using FenceGateway.Gateway.FunctionalTests.Fence;

namespace FenceGateway.Gateway.FunctionalTests.Cli;

/// <summary>A gateway that listens as the image tells it to can be probed from outside of its container.</summary>
public sealed partial class ContainerTests
{
    /// <summary>
    /// A probe comes by the address of the pod, which 127.0.0.2 stands for: it is not the loopback address listened on
    /// by default.
    /// </summary>
    [Theory]
    [InlineData("/livez")]
    [InlineData("/readyz")]
    [InlineData("/healthz")]
    public async Task Probe_ByTheAddressOfThePod_IsAnswered(string path)
    {
        await using var gateway = await StartAsync();
        using var client = ClientOf(gateway);

        using var answer = await client.GetAsync(path);

        ((int)answer.StatusCode).ShouldBe(200);
    }

    [Theory]
    [InlineData("fencegateway.default.svc", 403)]
    [InlineData("gateway.example", 200)]
    public async Task Probe_ByAName_IsAnsweredWhereTheNameIsListed(string host, int status)
    {
        await using var gateway = await StartAsync();
        using var client = ClientOf(gateway);
        client.DefaultRequestHeaders.Host = host;

        using var answer = await client.GetAsync("/livez");

        ((int)answer.StatusCode).ShouldBe(status);
    }

    [Fact]
    public async Task Healthcheck_FindsTheListenerOfTheImage()
    {
        await using var gateway = await StartAsync();
        using var output = new StringWriter();
        var port = gateway.AdminAddress.Port.ToString();
        var url = ImageSetting("FenceGateway__Admin__Url").Replace("8081", port, StringComparison.Ordinal);

        var exit = await new HealthcheckVerb(TimeProvider.System, output).RunAsync(
            $"{url}/healthz", "00:00:30", new(null, []), CancellationToken.None);

        exit.ShouldBe(0, output.ToString());
    }

    [Fact]
    public void Image_ChecksItsHealthByItself() => Image().ShouldMatch("HEALTHCHECK [^\n]*\\\\\n[^\n]*\"healthcheck\"");

    private static HttpClient ClientOf(FencedGateway gateway) =>
        FencedGateway.NewClient(new Uri($"http://127.0.0.2:{gateway.AdminAddress.Port}"));

    private static Task<FencedGateway> StartAsync()
    {
        var url = ImageSetting("FenceGateway__Admin__Url");
        url.ShouldEndWith(":8081");
        url = url.Replace(":8081", ":0", StringComparison.Ordinal);
        return FencedGateway.StartAsync(new GatewaySetup
        {
            Gateway = $$""" "Admin": { "Url": "{{url}}", "Hosts": [ "gateway.example" ] } """,
        });
    }

    private static string ImageSetting(string name) =>
        Settings().Matches(Image()).Single(match => match.Groups["name"].Value == name).Groups["value"].Value;

    private static string Image()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "FenceGateway.sln")))
        {
            folder = folder.Parent ?? throw new DirectoryNotFoundException("The tests run outside of the repository.");
        }

        return File.ReadAllText(Path.Combine(folder.FullName, "Dockerfile"));
    }

    [GeneratedRegex(@"^(ENV|   ) (?<name>\w+)=(?<value>\S+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Settings();
}
