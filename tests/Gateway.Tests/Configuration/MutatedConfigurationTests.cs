using System.Text.Json;
using System.Text.Json.Nodes;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Hosting;
using FenceGateway.Gateway.Lifecycle;
using FenceGateway.Gateway.Settings;
using FenceGateway.Gateway.Stores;
using FenceGateway.TestKit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FenceGateway.Gateway.Tests.Configuration;

/// <summary>
/// What <c>validate</c> accepts also starts, what it refuses does not: for the files of the repository with mistakes in
/// them.
/// </summary>
public sealed class MutatedConfigurationTests(ITestOutputHelper output) : IDisposable
{
    private const int Mutations = 1_000;
    private const string AnyAddress = "http://127.0.0.1:0";

    private const string Quiet = """
        { "MinimumLevel": { "Default": "Fatal", "Override": { "Microsoft": "Fatal", "Microsoft.Hosting.Lifetime": "Fatal", "Yarp": "Fatal" } } }
        """;

    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true };

    private readonly TempFolder _folder = new();
    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false });

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Mutation_OfAFileOfTheRepository_StartsIfAndOnlyIfItIsValid()
    {
        var files = Files();
        var accepted = 0;
        for (var i = 0; i < Mutations; i++)
        {
            var file = new ConfigurationMutation(new Random(i), files).Next();
            KeepOutOfTheWay(file);
            var json = file.ToJsonString(Readable);
            await File.WriteAllTextAsync(_folder.File("gateway.json"), json, Cancellation);
            try
            {
                accepted += await IsAcceptedAsync(new GatewayArguments(_folder.File("gateway.json"), [])) ? 1 : 0;
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"Mutation {i}: {e.Message}\n{json}", e);
            }
        }

        output.WriteLine($"{accepted} of {Mutations} were accepted");
        accepted.ShouldBeInRange(Mutations / 10, Mutations * 9 / 10, "both kinds have to be seen");
    }

    public void Dispose()
    {
        _client.Dispose();
        _folder.Dispose();
    }

    private async Task<bool> IsAcceptedAsync(GatewayArguments arguments)
    {
        IReadOnlyList<ConfigProblem> problems = [];
        try
        {
            using var valid = await LastGoodConfiguration.LoadAsync(arguments, TimeProvider.System, Cancellation);
            _ = ConfigurationWarnings.Of(valid.Current);
        }
        catch (ConfigurationRejectedException e)
        {
            problems = e.Problems;
        }

        try
        {
            await using var gateway = await GatewayHost.BuildAsync(arguments, TimeProvider.System, Cancellation);
            problems.ShouldBeEmpty("it starts and is refused");
            await StartAsync(gateway);
            return true;
        }
        catch (ConfigurationRejectedException e)
        {
            e.Problems.ShouldBe(problems);
            e.Problems.ShouldAllBe(static problem => problem.Message.Length > 0 && !problem.Message.Contains('\n'));
            return false;
        }
    }

    /// <summary>
    /// All of it where the store is in the process. A shared one is not there, and its gateway starts without it after
    /// some seconds.
    /// </summary>
    private async Task StartAsync(BuiltGateway gateway)
    {
        if (!gateway.App.Services.GetRequiredService<LastGoodConfiguration>().Current.Options.TokenStore.Provider
            .IsShared())
        {
            await gateway.App.StartAsync(Cancellation);
        }
        else
        {
            var services = gateway.App.Services.GetServices<IHostedService>();
            foreach (var service in services.Where(static s => s is not (ShutdownSequence or ReplicationService)))
            {
                await service.StartAsync(Cancellation);
            }
        }

        if (gateway.DataAddress.StartsWith("http://", StringComparison.Ordinal))
        {
            // The first request builds what routes the requests.
            var address = gateway.DataAddress.Replace("[::]", "[::1]", StringComparison.Ordinal);
            using var answer = await _client.GetAsync(new Uri($"{address}/no/such/thing"), Cancellation);
            ((int)answer.StatusCode).ShouldNotBe(500);
        }
    }

    /// <summary>Free ports, and folders of the test.</summary>
    private void KeepOutOfTheWay(JsonObject file)
    {
        if (!file.ContainsKey("Urls") && !file.ContainsKey("Kestrel"))
        {
            file["Urls"] = AnyAddress;
        }

        if (file["FenceGateway"] is null)
        {
            file["FenceGateway"] = new JsonObject();
        }

        if (file["FenceGateway"] is not JsonObject gateway)
        {
            return;
        }

        Default(gateway, "Admin", "Url", AnyAddress);
        Default(gateway, "Idempotency", "Path", _folder.File("answers"));
        gateway["TokenStore"] ??= new JsonObject();
        if (gateway["TokenStore"] is JsonObject store && (store["Provider"]?.ToString() ?? "Embedded") == "Embedded")
        {
            Default(store, "Embedded", "Path", _folder.File("tokens"));
        }
    }

    private static void Default(JsonObject holder, string section, string key, string value)
    {
        holder[section] ??= new JsonObject();
        if (holder[section] is JsonObject inner)
        {
            inner[key] ??= value;
        }
    }

    private JsonObject[] Files()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "FenceGateway.sln")))
        {
            folder = folder.Parent;
        }

        var comments = new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip };
        var files = Directory.GetFiles(Path.Combine(folder.FullName, "config"), "*.json")
            .Where(static file => !file.EndsWith(".schema.json", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(file => JsonNode.Parse(File.ReadAllText(file), documentOptions: comments)!.AsObject())
            .ToArray();
        foreach (var file in files)
        {
            file["Urls"] = AnyAddress;
            file["Serilog"] = JsonNode.Parse(Quiet);
            file["FenceGateway"]!["Admin"]!["Url"] = AnyAddress;
            if (file["FenceGateway"]!["TokenStore"]!["Embedded"] is { } embedded)
            {
                embedded["Path"] = _folder.File("tokens");
            }
        }

        return files;
    }
}
