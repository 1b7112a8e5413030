namespace FenceGateway.Gateway.Demo;

/// <summary>What the demo's gateway is told.</summary>
internal static class DemoConfiguration
{
    public const string PolicyName = "per-order";
    public const string Route = "/orders/{id}/{**rest}";
    public const string Resource = "orders/{id}";
    public const int DrainTimeoutSeconds = 5;

    /// <summary>Settings that follow from the ports.</summary>
    private static readonly string[] Taken = ["--urls", "--FenceGateway:Admin:Url"];

    /// <summary>
    /// A setting that would tear the gateway from the addresses that the demo talks to, if there is one.
    /// </summary>
    public static string? FindConflict(string[] settings) =>
        settings.FirstOrDefault(s => Taken.Contains(s.Split('=', 2)[0], StringComparer.OrdinalIgnoreCase));

    /// <summary>
    /// What goes over the file. The story is the output: the gateway's own log lines only when something is wrong.
    /// Addresses stand here too, since the environment wins over the file.
    /// </summary>
    public static string[] Settings(DemoArguments arguments, DemoPorts ports) =>
    [
        "--Serilog:MinimumLevel:Default=Warning",
        "--Serilog:MinimumLevel:Override:Microsoft.Hosting.Lifetime=Warning",
        .. arguments.Settings,
        $"--Urls={ports.GatewayUrl}",
        $"--FenceGateway:Admin:Url={ports.AdminUrl}",
    ];

    /// <summary>Writes the configuration into <paramref name="folder"/>, where the token store lives too.</summary>
    /// <returns>The file.</returns>
    public static async Task<string> WriteAsync(string folder, DemoPorts ports, CancellationToken cancellationToken)
    {
        var file = Path.Combine(folder, "gateway.json");
        await File.WriteAllTextAsync(file, Json(folder, ports), cancellationToken);
        return file;
    }

    private static string Json(string folder, DemoPorts ports) => $$"""
        {
          "Urls": "{{ports.GatewayUrl}}",
          "ReverseProxy": {
            "Routes": {
              "orders": {
                "ClusterId": "orders",
                "Match": { "Path": "{{Route}}" },
                "Metadata": { "FencingPolicy": "{{PolicyName}}" }
              }
            },
            "Clusters": { "orders": { "Destinations": { "a": { "Address": "{{ports.ServiceUrl}}/" } } } }
          },
          "FenceGateway": {
            "Admin": { "Url": "{{ports.AdminUrl}}" },
            "TokenStore": {
              "Provider": "Embedded",
              "Embedded": { "Path": {{Quoted(Path.Combine(folder, "tokens"))}} }
            },
            "Shutdown": { "Timeout": "00:00:05" },
            "FencingPolicies": {
              "{{PolicyName}}": {
                "Resource": "{{Resource}}",
                "Header": "{{DemoService.TokenHeader}}",
                "HeaderAliases": [ "X-Fencing-Token" ],
                "Mode": "Enforce",
                "MissingToken": "Reject",
                "Barrier": "Drain",
                "DrainTimeout": "00:00:0{{DrainTimeoutSeconds}}",
                "InDoubtHold": "00:00:10",
                "WriteTimeout": "00:00:30",
                "Reads": "Advance",
                "AdvanceOn": "Admission"
              }
            }
          }
        }

        """;

    private static string Quoted(string text) => System.Text.Json.JsonSerializer.Serialize(text);
}
