using System.Text.Json.Nodes;
using FenceGateway.Gateway.Stores;
using FenceGateway.Gateway.Tests.Configuration;

namespace FenceGateway.Gateway.Tests.Stores;

/// <summary>
/// Whatever stands in a text of the token store's section, the answer is what is wrong with it and never a stack trace.
/// </summary>
public sealed class TokenStoreTextTests
{
    private static readonly string[] Texts =
    [
        "", " ", ":", "::", "=", ",", ";", "@", "/", "//", "http://", "https://:0", "http://[::1", "a=b",
        "host:99999999999", "Host=;=", "\0", "\uD800",
        "é", "ssl=true", "'", "a:1,,", "[]", "%", "{0}", "user:pw@host:1", "../..", "-----BEGIN CERTIFICATE-----",
    ];

    public static TheoryData<string> Options { get; } = new(OptionsOf(typeof(TokenStoreOptions), ""));

    [Theory]
    [MemberData(nameof(Options))]
    public async Task Text_AnyValue_IsGoodOrNamedAsAProblem(string option)
    {
        foreach (var text in Texts.Append(new string('x', 100_000)).Append(new string('@', 100_000))
            .Append(new string(',', 100_000)))
        {
            var own = Store(option, text);
            var region = Store(option, text);
            region.Remove("Embedded");
            own["Replicate"] = new JsonObject { ["Regions"] = new JsonObject { ["eu"] = region } };

            var problems = await ConfigurationFolder.ProblemsAsync(
                new JsonObject { ["FenceGateway"] = new JsonObject { ["TokenStore"] = own } }.ToJsonString());

            problems.ShouldAllBe(
                p => p.Path.StartsWith("$.FenceGateway.TokenStore", StringComparison.Ordinal), $"'{text}'");
            problems.ShouldAllBe(p => p.Message.Length < 1_000);
            problems.ShouldAllBe(p => !p.Message.Contains("pw@", StringComparison.Ordinal));
        }
    }

    /// <summary>The section in which the option counts; the rest of it is as it should be.</summary>
    private static JsonObject Store(string option, string text)
    {
        var path = option.Split('.');
        var provider = path is [var section, _, ..] ? section : "Postgres";
        var store = JsonNode.Parse("""
            {
              "Redis": { "Configuration": "a:1,ssl=true", "Sentinels": { } }, "Quorum": { "Nodes": [ "a:1", "b:1", "c:1" ] },
              "Postgres": { "ConnectionString": "Host=a" }, "MySql": { "ConnectionString": "Server=a" },
              "ZooKeeper": { "ConnectionString": "a:1" }, "Etcd": { "Endpoints": [ "http://a:1" ] }, "Embedded": { }
            }
            """)!.AsObject();
        store["Provider"] = provider;
        var at = store;
        foreach (var parent in path[..^1])
        {
            at = (at[parent] ??= new JsonObject()).AsObject();
        }

        var key = path[^1];
        at[key] = at[key] is JsonArray list ? new JsonArray([text, .. list.Skip(1).Select(n => n!.DeepClone())]) : text;
        return store;
    }

    private static IEnumerable<string> OptionsOf(Type type, string prefix) =>
        type.GetProperties().SelectMany(property =>
        property.PropertyType == typeof(string)
            || property.PropertyType == typeof(List<string>) ? [prefix + property.Name]
        : property.PropertyType.IsClass
        && property.PropertyType != typeof(ReplicateOptions) ? OptionsOf(
            property.PropertyType, $"{prefix}{property.Name}.")
        : Enumerable.Empty<string>());
}
