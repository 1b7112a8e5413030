using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Settings;

/// <summary>The JSON schema of the configuration file, from the options themselves.</summary>
internal static class ConfigurationSchema
{
    /// <summary>Readable by people: indented, and no escapes for characters that need none in a file.</summary>
    public static readonly JsonSerializerOptions Layout =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NewLine = "\n" };

    public static string Text() => Create().ToJsonString(Layout) + "\n";

    public static JsonObject Create() => new()
    {
        ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
        ["title"] = "FenceGateway configuration",
        ["type"] = "object",
        ["properties"] = new JsonObject
        {
            ["$schema"] = new JsonObject { ["type"] = "string" },
            ["Urls"] = new JsonObject
            {
                ["type"] = "string",
                ["description"] = "Addresses of the data listener, separated by ';'. Needs a restart.",
                ["default"] = DataUrls.Default,
            },
            ["Kestrel"] = Open("ASP.NET Core's own settings of its server; Endpoints replace Urls. Needs a restart."),
            ["Serilog"] = Open("Serilog's own settings. Needs a restart."),
            [SectionNames.ReverseProxy] = Open(
                "YARP's own settings: Routes and Clusters. A route picks its policies through its Metadata: "
                + "{ \"FencingPolicy\": \"name\", \"ResiliencePolicy\": \"name\" }, and a rate limit through "
                + "RateLimiterPolicy."),
            [SectionNames.Gateway] = OfObject(new GatewayOptions()),
        },
    };

    private static JsonObject Open(string description) => new() { ["type"] = "object", ["description"] = description };

    private static JsonObject OfObject(object options)
    {
        var properties = new JsonObject();
        var required = new JsonArray();
        foreach (var property in options.GetType().GetProperties())
        {
            properties[property.Name] = OfProperty(property, property.GetValue(options));
            if (property.IsDefined(typeof(RequiredAttribute)) && property.GetValue(options) is null or "")
            {
                required.Add(property.Name);
            }
        }

        var schema = new JsonObject { ["type"] = "object" };
        Describe(schema, options.GetType());
        if (required.Count > 0)
        {
            schema["required"] = required;
        }

        schema["properties"] = properties;
        schema["additionalProperties"] = false;
        return schema;
    }

    private static JsonObject OfProperty(PropertyInfo property, object? value)
    {
        var type = property.PropertyType;
        var schema = type switch
        {
            _ when type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Dictionary<,>) => new JsonObject
            {
                ["type"] = "object",
                ["additionalProperties"] = OfObject(Activator.CreateInstance(type.GetGenericArguments()[1])!),
            },
            _ when type == typeof(List<string>) => OfList(
                new JsonObject { ["type"] = "string" },
                [.. ((List<string>)value!).Select(text => JsonValue.Create(text))]),
            _ when type == typeof(List<int>) => OfList(
                OfNumber("integer", property), [.. ((List<int>)value!).Select(number => JsonValue.Create(number))]),
            _ when type.IsClass && type != typeof(string) => OfObject(value ?? Activator.CreateInstance(type)!),
            _ => OfScalar(property, value),
        };
        if (value is null && schema["type"] is JsonValue kind)
        {
            schema["type"] = new JsonArray(kind.GetValue<string>(), "null");
        }
        else if (value is null && schema["enum"] is JsonArray names && !property.IsDefined(typeof(RequiredAttribute)))
        {
            names.Add((JsonNode?)null);
        }

        Describe(schema, property);
        return schema;
    }

    private static JsonObject OfScalar(PropertyInfo property, object? value)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        var schema = type switch
        {
            _ when type == typeof(bool) => new JsonObject { ["type"] = "boolean" },
            _ when type == typeof(int) => OfNumber("integer", property),
            _ when type == typeof(double) => OfNumber("number", property),
            _ when type == typeof(TimeSpan) => OfDuration(property),
            _ when type.IsEnum => new JsonObject
            {
                ["enum"] = new JsonArray([.. Enum.GetNames(type).Select(name => JsonValue.Create(name))]),
            },
            _ => new JsonObject { ["type"] = "string", ["minLength"] = 1 },
        };
        if (value is not (null or ""))
        {
            schema["default"] = value switch
            {
                bool truth => truth,
                int number => number,
                double share => share,
                TimeSpan duration => Durations.Write(duration),
                _ => value.ToString(),
            };
        }

        return schema;
    }

    private static JsonObject OfList(JsonObject items, JsonArray byDefault) =>
        new() { ["type"] = "array", ["items"] = items, ["default"] = byDefault };

    private static JsonObject OfNumber(string type, PropertyInfo property)
    {
        var range = property.GetCustomAttribute<RangeAttribute>()!;
        return new JsonObject
        {
            ["type"] = type,
            ["minimum"] = Bound(range.Minimum),
            ["maximum"] = Bound(range.Maximum),
        };
    }

    private static JsonValue Bound(object bound) =>
        bound is int number ? JsonValue.Create(number) : JsonValue.Create((double)bound);

    private static JsonObject OfDuration(PropertyInfo property)
    {
        var range = property.GetCustomAttribute<RangeAttribute>()!;
        return new JsonObject
        {
            ["type"] = "string",
            ["pattern"] = Durations.Pattern,
            ["$comment"] = $"A duration from {range.Minimum} to {range.Maximum}.",
        };
    }

    private static void Describe(JsonObject schema, MemberInfo member)
    {
        if (member.GetCustomAttribute<DescriptionAttribute>() is { } description)
        {
            schema.Remove("description");
            schema.Insert(0, "description", description.Description);
        }
    }
}
