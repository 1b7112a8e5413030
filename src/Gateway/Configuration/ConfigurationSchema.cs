using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FenceGateway.Gateway.Configuration;

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
                ["default"] = ListenerRules.DefaultUrl,
            },
            ["Kestrel"] = Open("ASP.NET Core's own settings of its server; Endpoints replace Urls. Needs a restart."),
            ["Serilog"] = Open("Serilog's own settings. Needs a restart."),
            [ReverseProxyInspector.Section] = Open(
                "YARP's own settings: Routes and Clusters. A route picks a fencing policy through its Metadata: "
                + "{ \"FencingPolicy\": \"name\" }."),
            [GatewayOptions.Section] = OfObject(new GatewayOptions()),
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
            if (property.IsDefined(typeof(RequiredAttribute)) && property.GetValue(options) is "")
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
            _ when type == typeof(List<string>) => new JsonObject
            {
                ["type"] = "array",
                ["items"] = new JsonObject { ["type"] = "string" },
                ["default"] = new JsonArray(),
            },
            _ when type.IsClass && type != typeof(string) => OfObject(value!),
            _ => OfScalar(property, value!),
        };
        Describe(schema, property);
        return schema;
    }

    private static JsonObject OfScalar(PropertyInfo property, object value)
    {
        var range = property.GetCustomAttribute<RangeAttribute>();
        switch (value)
        {
            case bool truth:
                return new JsonObject { ["type"] = "boolean", ["default"] = truth };
            case int number:
                return new JsonObject
                {
                    ["type"] = "integer",
                    ["minimum"] = (int)range!.Minimum,
                    ["maximum"] = (int)range.Maximum,
                    ["default"] = number,
                };
            case TimeSpan duration:
                return new JsonObject
                {
                    ["type"] = "string",
                    ["pattern"] = Durations.Pattern,
                    ["default"] = Durations.Write(duration),
                    ["$comment"] = $"A duration from {range!.Minimum} to {range.Maximum}.",
                };
            case Enum name:
                return new JsonObject
                {
                    ["enum"] = new JsonArray([.. Enum.GetNames(name.GetType()).Select(n => JsonValue.Create(n))]),
                    ["default"] = name.ToString(),
                };
            default:
                var text = new JsonObject { ["type"] = "string", ["minLength"] = 1 };
                if (value is string { Length: > 0 } preset)
                {
                    text["default"] = preset;
                }

                return text;
        }
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
