using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FenceGateway.Gateway.Tests.Configuration;

/// <summary>
/// Makes one or two mistakes in a configuration, such as people and generators make. The same random numbers make the
/// same mistakes.
/// </summary>
internal sealed class ConfigurationMutation(Random random, IReadOnlyList<JsonObject> files)
{
    private static readonly string[] Paths =
    [
        "/orders/{id}", "/orders/{key}", "/{**all}", "/orders/{id}/{**rest}", "/a/{id:int}", "/a/{id:long}",
        "/a/{id:uuid}", "/a/{id:range(1)}",
        "/a/{id:regex(^x$)}", "/a/{id", "/a/{id}/{id}", "", "/a//b", "orders/{id}", "/{id}.{kind}", "/a/{**rest}/b",
        "/a/{id:alpha:length(3)}",
    ];

    private static readonly string[] Addresses =
    [
        "http://127.0.0.1:0", "https://127.0.0.1:0", "http://[::1]:0", "http://localhost:0", "127.0.0.1:0",
        "http://127.0.0.1:0/base", "ftp://127.0.0.1:0",
        "http://", "nonsense", "http://127.0.0.1:99999", "http://127.0.0.1:0;http://127.0.0.1:0", ";",
        "http://u:p@127.0.0.1:0",
    ];

    private static readonly string[] Durations =
        ["00:00:00", "00:00:00.001", "00:00:05", "00:01:00", "01:00:00", "5", "5s", "-00:00:01", "1.00:00:00", "99999:00:00"];

    private static readonly string[] Numbers =
        ["0", "1", "-1", "2", "16", "100", "1000", "65536", "99999999999", "0.5", "1.5", "1e3"];

    private static readonly string[] Texts =
        ["", "orders", "per-order", "nothing", "Enforce", "Report", "Off", "Embedded", "Memory", "Redis", "true", "GET", "Host", "a:1", "{id}", "orders/{id}/{header:X-Part}"];

    private static readonly string[] Sections =
    [
        """{ "Serilog": { "MinimumLevel": "Warning" } }""", """{ "Serilog": { "MinimumLevel": "Chatty" } }""",
        """{ "Serilog": { "WriteTo": [ { "Name": "Nowhere" } ] } }""", """{ "Kestrel": { "Endpoints": { "a": { "Url": "http://127.0.0.1:0" } } } }""",
        """{ "Kestrel": { "Endpoints": { "a": { "Url": "https://127.0.0.1:0" } } } }""", """{ "Kestrel": { "Endpoints": { "a": {} } } }""",
        """{ "Kestrel": { "Certificates": { "Default": { "Path": "none.pfx" } } } }""", """{ "Kestrel": { "Limits": { "MaxConcurrentConnections": 0 } } }""",
        """{ "Kestrel": { "Limits": { "MaxRequestBodySize": -5 } } }""", """{ "Kestrel": { "Limits": { "Http2": { "MaxStreamsPerConnection": 50 } } } }""",
        """{ "http_ports": "x" }""", """{ "FencingPolicies": {} }""", """{ "FenceGatway": { "a": 1 } }""",
    ];

    /// <summary>A copy of one of the files with mistakes in it.</summary>
    public JsonObject Next()
    {
        var file = Pick(files).DeepClone().AsObject();
        for (var i = random.Next(1, 3); i > 0; i--)
        {
            Change(file);
        }

        return file;
    }

    private void Change(JsonObject file)
    {
        var places = Places(file).ToArray();
        if (places.Length == 0)
        {
            return;
        }

        var (holder, key) = Pick(places);
        switch (random.Next(9))
        {
            case 0:
                holder.Remove(key);
                break;
            case 1:
                holder[key] = JsonNode.Parse(
                    Pick(["null", "true", "1", "\"text\"", "[]", "{}", "[ \"x\" ]", "{ \"x\": 1 }"]));
                break;
            case 2:
                Rename(holder, key, Pick([key[..^1], key + "x", key.ToLowerInvariant(), $"{key[^1]}{key[..^1]}"]));
                break;
            case 3:
                var (other, name) = Pick(
                    Places(Pick(files)).Where(place => place.Key == key || place.Holder[place.Key] is JsonObject)
                        .ToArray());
                holder[Pick([key, name])] = other[name]?.DeepClone();
                break;
            case 4 when Routes(file) is { Count: > 0 } routes:
                var copied = routes[Pick(routes.Select(static route => route.Key).ToArray())]?.DeepClone();
                routes[Pick(["again", "AGAIN", "a.b"])] = copied;
                break;
            case 5:
                var (section, content) = JsonNode.Parse(Pick(Sections))!.AsObject().First();
                file[section] = content?.DeepClone();
                break;
            default:
                ChangeValue(file);
                break;
        }
    }

    private void ChangeValue(JsonObject file)
    {
        var values = Places(file).Where(static place => place.Holder[place.Key] is JsonValue).ToArray();
        if (values.Length == 0)
        {
            return;
        }

        var (holder, key) = Pick(values);
        var text = holder[key]!.ToString();
        holder[key] = holder[key]!.GetValueKind() == JsonValueKind.Number ? JsonNode.Parse(Pick(Numbers))
            : text.Contains("://", StringComparison.Ordinal) ? Pick(Addresses)
            : text.StartsWith('/') ? Pick(Paths)
            : TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out _) ? Pick(Durations)
            : Pick(Texts);
    }

    private static JsonObject? Routes(JsonObject file) =>
        file["ReverseProxy"] is JsonObject proxy ? proxy["Routes"] as JsonObject : null;

    private static void Rename(JsonObject holder, string key, string name)
    {
        var value = holder[key]?.DeepClone();
        holder.Remove(key);
        holder[name] = value;
    }

    /// <summary>Every key of every object.</summary>
    private static IEnumerable<(JsonObject Holder, string Key)> Places(JsonObject holder) =>
        holder.Where(static pair => pair.Key != "$schema").SelectMany(
            pair => (pair.Value is JsonObject inner ? Places(inner) : []).Prepend((holder, pair.Key)));

    private T Pick<T>(IReadOnlyList<T> from) => from[random.Next(from.Count)];
}
