using System.Collections;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Settings;

/// <summary>Shows the configuration in force as JSON, defaults filled in, secrets left out.</summary>
internal static partial class EffectiveConfiguration
{
    private static readonly string[] Sections =
        ["Urls", "http_ports", "https_ports", "Kestrel", SectionNames.ReverseProxy];

    public static JsonObject Render(IConfiguration configuration, GatewayOptions options)
    {
        var json = new JsonObject();
        foreach (var name in Sections)
        {
            var section = configuration.GetSection(name);
            if (section.Exists())
            {
                json[name] = RenderSection(section, secret: false);
            }
        }

        json[SectionNames.Gateway] = RenderOptions(options);
        return json;
    }

    private static JsonNode? RenderSection(IConfigurationSection section, bool secret)
    {
        secret |= SecretText.IsSecretName(section.Key);
        var children = section.GetChildren().ToArray();
        if (children.Length == 0)
        {
            return section.Value is not { } value ? null : secret ? SecretText.Redacted : SecretText.RedactUser(value);
        }

        if (children.Select((c, i) => c.Key == i.ToString()).All(inOrder => inOrder))
        {
            return new JsonArray([.. children.Select(c => RenderSection(c, secret))]);
        }

        // { "RequestHeader": "Authorization", "Set": "…" }: the name stands in one property, the secret in another.
        var namesSecret = children.Any(
            c => c.Value is { } v && ValueOfNamed().IsMatch(c.Key) && SecretText.IsSecretName(v));
        var json = new JsonObject();
        foreach (var child in children)
        {
            json[child.Key] = RenderSection(child, secret || (namesSecret && !ValueOfNamed().IsMatch(child.Key)));
        }

        return json;
    }

    private static JsonNode? RenderOptions(object? value) => value switch
    {
        null => null,
        string text => JsonValue.Create(text),
        bool truth => JsonValue.Create(truth),
        int number => JsonValue.Create(number),
        double number => JsonValue.Create(number),
        TimeSpan duration => JsonValue.Create(Durations.Write(duration)),
        Enum name => JsonValue.Create(name.ToString()),
        IDictionary map =>
            new JsonObject(map.Keys.Cast<string>().Select(k => KeyValuePair.Create(k, RenderOptions(map[k])))),
        IEnumerable list => new JsonArray([.. list.Cast<object>().Select(RenderOptions)]),
        _ => new JsonObject(
            value.GetType().GetProperties().Select(
                p => KeyValuePair.Create(p.Name, RenderProperty(p, p.GetValue(value))))),
    };

    private static JsonNode? RenderProperty(PropertyInfo property, object? value) =>
        (property.GetCustomAttribute<SecretAttribute>(), value) switch
        {
            ({ } secret, string text) => JsonValue.Create(SecretText.Redact(secret.Form, text)),
            ({ } secret, List<string> texts) =>
                new JsonArray([.. texts.Select(text => JsonValue.Create(SecretText.Redact(secret.Form, text)))]),
            _ => RenderOptions(value),
        };

    [GeneratedRegex(
        "^(RequestHeader|ResponseHeader|ResponseTrailer|QueryValueParameter|Name)$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex ValueOfNamed();
}
