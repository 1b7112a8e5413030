using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Settings;
using FenceGateway.Gateway.Tests.Configuration;

namespace FenceGateway.Gateway.Tests.Settings;

public sealed class ConfigurationSchemaTests
{
    private static readonly string Root = Path.GetFullPath(Path.Combine(ThisFolder(), "..", "..", ".."));

    public static TheoryData<string> Examples => [.. Directory.GetFiles(Path.Combine(Root, "config"), "*.json")
        .Select(f => Path.GetFileName(f)!).Where(f => f != "gateway.schema.json")];

    public static TheoryData<string> OptionKeys => [.. Keys(typeof(GatewayOptions), "FenceGateway")];

    [Fact]
    public async Task Text_CommittedFile_IsEqual()
    {
        var committed = await File.ReadAllTextAsync(
            Path.Combine(Root, "config", "gateway.schema.json"), TestContext.Current.CancellationToken);
        committed.ShouldBe(
            ConfigurationSchema.Text(), "write it anew: fencegateway config schema > config/gateway.schema.json");
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public async Task Example_AsShipped_IsValidForGatewayAndSchema(string name)
    {
        var json = await File.ReadAllTextAsync(
            Path.Combine(Root, "config", name), TestContext.Current.CancellationToken);
        (await ConfigurationFolder.ProblemsAsync(json)).ShouldBeEmpty();
        SchemaErrors(ConfigurationSchema.Create(), JsonNode.Parse(json, documentOptions: new JsonDocumentOptions
        {
            AllowTrailingCommas = true,
            CommentHandling = JsonCommentHandling.Skip,
        }), "$").ShouldBeEmpty();
    }

    [Theory]
    [InlineData("""{ "FenceGateway": { "Admn": {} } }""")]
    [InlineData("""{ "FenceGateway": { "FencingPolicies": { "a": {} } } }""")]
    [InlineData("""{ "FenceGateway": { "FencingPolicies": { "a": { "Resource": "x", "Mode": "Enforc" } } } }""")]
    [InlineData("""{ "FenceGateway": { "FencingPolicies": { "a": { "Resource": "x", "DrainTimeout": 5 } } } }""")]
    [InlineData("""{ "FenceGateway": { "FencingPolicies": { "a": { "Resource": "x", "DrainTimeout": "5" } } } }""")]
    [InlineData("""{ "FenceGateway": { "TokenStore": { "MaxActiveResources": 1 } } }""")]
    [InlineData("""{ "FenceGateway": { "TokenStore": "Memory" } }""")]
    [InlineData("""{ "FenceGateway": { "TokenStore": { "RequireGrade": "Volatile" } } }""")]
    [InlineData("""{ "FenceGateway": { "TokenStore": { "Provider": "Redis", "Redis": "127.0.0.1:6379" } } }""")]
    [InlineData("""{ "FenceGateway": { "TokenStore": { "Provider": "Etcd", "Etcd": { "Endpoints": "http://127.0.0.1:2379" } } } }""")]
    [InlineData("""{ "FenceGateway": { "TokenStore": { "Replicate": { "Regions": { "eu": {} } } } } }""")]
    [InlineData("""{ "FenceGateway": { "ResiliencePolicies": { "a": { "CircuitBreaker": { "FailureRatio": 1.5 } } } } }""")]
    [InlineData("""{ "FenceGateway": { "ResiliencePolicies": { "a": { "CircuitBreaker": { "FailureStatuses": [ "x" ] } } } } }""")]
    [InlineData("""{ "FenceGateway": { "ResiliencePolicies": { "a": { "CircuitBreaker": { "FailureStatuses": [ 200 ] } } } } }""")]
    [InlineData("""{ "FenceGateway": { "ResiliencePolicies": { "a": { "Timeouts": { "Total": 5 } } } } }""")]
    public async Task Mistake_SchemaAndGateway_BothFindIt(string json)
    {
        (await ConfigurationFolder.ProblemsAsync(json)).ShouldNotBeEmpty();
        SchemaErrors(ConfigurationSchema.Create(), JsonNode.Parse(json), "$").ShouldNotBeEmpty();
    }

    [Theory]
    [MemberData(nameof(OptionKeys))]
    public async Task Key_InReference_IsDocumentedWithItsDefault(string key)
    {
        var reference = await File.ReadAllLinesAsync(
            Path.Combine(Root, "docs", "configuration.md"), TestContext.Current.CancellationToken);
        var (path, value) = (key.Split('=')[0], key.Split('=')[1]);
        var row = reference.Where(line => line.StartsWith($"| `{path}` |", StringComparison.Ordinal))
            .ShouldHaveSingleItem();
        row.ShouldContain(value switch { "" => "| required |", "none" => "| none |", _ => $"| `{value}` |" });
    }

    /// <summary>Every value of the options as "path=default" ("name" stands for any policy name).</summary>
    private static IEnumerable<string> Keys(Type type, string path)
    {
        var options = Activator.CreateInstance(type)!;
        foreach (var property in type.GetProperties())
        {
            var at = $"{path}:{property.Name}";
            var keys = property.PropertyType switch
            {
                { IsGenericType: true } map when map.GetGenericTypeDefinition() == typeof(Dictionary<,>)
                    => Keys(map.GetGenericArguments()[1], $"{at}:name"),
                { IsClass: true } nested when nested != typeof(string) && nested != typeof(List<string>)
                    && nested != typeof(List<int>) => Keys(nested, at),
                _ when property.GetValue(options) is null
                    && property.IsDefined(typeof(RequiredAttribute), inherit: true) => [$"{at}="],
                _ => [$"{at}={Text(property.GetValue(options))}"],
            };
            foreach (var key in keys)
            {
                yield return key;
            }
        }
    }

    private static string Text(object? value) => value switch
    {
        null => "none",
        double share => share.ToString(CultureInfo.InvariantCulture),
        List<int> numbers => $"[{string.Join(", ", numbers)}]",
        TimeSpan duration => Durations.Write(duration),
        bool truth => truth ? "true" : "false",
        List<string> texts => $"[{string.Join(", ", texts.Select(text => $"\"{text}\""))}]",
        _ => value.ToString()!,
    };

    /// <summary>The part of JSON Schema that the gateway's schema uses.</summary>
    private static List<string> SchemaErrors(JsonNode schema, JsonNode? value, string path)
    {
        var errors = new List<string>();
        var kind = value?.GetValueKind();
        string[] types = schema["type"] switch
        {
            JsonArray several => [.. several.Select(t => t!.ToString())],
            { } one => [one.ToString()],
            null => [],
        };
        if (types.Length > 0
            && !types.Any(
                type => kind == Kind(type) || (type == "null" && value is null)
                    || (type == "boolean" && kind == JsonValueKind.False)))
        {
            return [$"{path}: no {types[0]}"];
        }

        if (value is null)
        {
            return errors;
        }

        if (schema["enum"] is JsonArray names && !names.Any(n => n?.ToString() == value?.ToString()))
        {
            errors.Add($"{path}: not in enum");
        }

        if (schema["pattern"] is { } pattern && !Regex.IsMatch(value!.ToString(), pattern.ToString()))
        {
            errors.Add($"{path}: pattern");
        }

        if (schema["minimum"] is { } minimum
            && (Number(value!) < Number(minimum) || Number(value!) > Number(schema["maximum"]!)))
        {
            errors.Add($"{path}: range");
        }

        foreach (var name in schema["required"]?.AsArray().Select(n => n!.ToString()) ?? [])
        {
            if (value![name] is null)
            {
                errors.Add($"{path}.{name}: required");
            }
        }

        foreach (var (name, member) in (value as JsonObject) ?? [])
        {
            if ((schema["properties"]?[name] ?? schema["additionalProperties"]) is { } inner)
            {
                errors.AddRange(inner.GetValueKind() == JsonValueKind.False
                    ? [$"{path}.{name}: unknown"]
                    : SchemaErrors(inner, member, $"{path}.{name}"));
            }
        }

        foreach (var item in schema["items"] is { } items ? (value as JsonArray) ?? [] : [])
        {
            errors.AddRange(SchemaErrors(schema["items"]!, item, path + "[]"));
        }

        return errors;
    }

    private static double Number(JsonNode node) => double.Parse(node.ToJsonString(), CultureInfo.InvariantCulture);

    private static JsonValueKind Kind(string type) => type switch
    {
        "object" => JsonValueKind.Object,
        "array" => JsonValueKind.Array,
        "integer" or "number" => JsonValueKind.Number,
        "null" => JsonValueKind.Undefined,
        "boolean" => JsonValueKind.True,
        _ => JsonValueKind.String,
    };

    private static string ThisFolder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
