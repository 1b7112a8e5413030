using System.Text.Json.Nodes;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>
/// A configuration file with one fenced route (<c>/orders/{id}</c>) and one without a policy (<c>/open</c>) to the same
/// service. Each text is a JSON object whose keys are laid over the section's own.
/// </summary>
internal sealed record GatewaySetup
{
    /// <summary>Different from each other and from every other timer, so that a test can tell who waits.</summary>
    public static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(7);

    public static readonly TimeSpan InDoubtHold = TimeSpan.FromSeconds(11);

    public static readonly TimeSpan WriteTimeout = TimeSpan.FromSeconds(29);

    /// <summary>
    /// So long that a waiting write never gives up in a test that moves the clock over the other times.
    /// </summary>
    public const string PatientDrain = """ "DrainTimeout": "00:09:00" """;

    /// <summary>What <see cref="PatientDrain"/> says.</summary>
    public static readonly TimeSpan PatientDrainTime = TimeSpan.FromMinutes(9);

    /// <summary>Stands for the service's address in <see cref="Cluster"/>.</summary>
    public const string Service = "SERVICE";

    /// <summary>As if started with <c>--allow-chaos</c>.</summary>
    public bool AllowChaos { get; init; }

    public string Policy { get; init; } = "";

    public string Route { get; init; } = "";

    public string Cluster { get; init; } = "";

    public string Gateway { get; init; } = "";

    public string Root { get; init; } = "";

    public string Store { get; init; } = """ "Provider": "Memory" """;

    /// <summary>Further routes, each with its name.</summary>
    public string Routes { get; init; } = "";

    /// <summary>Further clusters, each with its name.</summary>
    public string Clusters { get; init; } = "";

    /// <summary>The whole file, with <paramref name="service"/> behind the gateway.</summary>
    public string Render(Uri service)
    {
        var root = Parse($$"""
            "Urls": "http://127.0.0.1:0",
            "Serilog": { "MinimumLevel": {
                "Default": "Fatal",
                "Override": { "Microsoft": "Fatal", "Microsoft.Hosting.Lifetime": "Fatal", "Yarp": "Fatal" } } }
            """);
        root["ReverseProxy"] = new JsonObject
        {
            [nameof(Routes)] = Lay(
                new JsonObject
                {
                    ["orders"] = Lay(
                        Parse("""
                            "ClusterId": "service", "Match": { "Path": "/orders/{id}/{**rest}" },
                            "Metadata": { "FencingPolicy": "per-order" }
                            """),
                        Route),
                    ["open"] = Parse(""" "ClusterId": "service", "Match": { "Path": "/open/{**rest}" } """),
                },
                Routes),
            [nameof(Clusters)] = Lay(
                new JsonObject
                {
                    ["service"] = Lay(
                        Parse($$""" "Destinations": { "a": { "Address": "{{service}}" } } """),
                        Cluster.Replace(Service, service.ToString(), StringComparison.Ordinal)),
                },
                Clusters),
        };
        root["FenceGateway"] = Lay(
            new JsonObject
            {
                ["Admin"] = Parse(""" "Url": "http://127.0.0.1:0" """),
                ["TokenStore"] = Parse(Store),
                ["FencingPolicies"] = new JsonObject
                {
                    ["per-order"] = Lay(
                        Parse($$"""
                            "Resource": "orders/{id}", "DrainTimeout": "{{DrainTimeout}}",
                            "InDoubtHold": "{{InDoubtHold}}", "WriteTimeout": "{{WriteTimeout}}"
                            """),
                        Policy),
                },
            },
            Gateway);
        return Lay(root, Root).ToJsonString();
    }

    private static JsonObject Parse(string members) => JsonNode.Parse($"{{ {members} }}")!.AsObject();

    private static JsonObject Lay(JsonObject under, string members)
    {
        foreach (var (key, value) in Parse(members))
        {
            under[key] = value?.DeepClone();
        }

        return under;
    }
}
