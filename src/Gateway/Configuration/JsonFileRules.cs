using System.Text.Json;

namespace FenceGateway.Gateway.Configuration;

/// <summary>
/// What must hold of the JSON text itself. .NET's reader stops at the first duplicate and gives no place.
/// </summary>
internal static class JsonFileRules
{
    public static void Check(string file, ReadOnlySpan<byte> json, List<ConfigProblem> problems)
    {
        json = json.StartsWith("\uFEFF"u8) ? json[3..] : json;
        var reader = new Utf8JsonReader(
            json, new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        var scopes = new Stack<Scope>();
        try
        {
            while (reader.Read())
            {
                Visit(ref reader, file, json, scopes, problems);
            }
        }
        catch (JsonException e)
        {
            var line = (e.LineNumber ?? 0) + 1;
            problems.Add(new($"{file}:{line}:{(e.BytePositionInLine ?? 0) + 1}", $"is no valid JSON: {Reason(e)}"));
        }
    }

    private static void Visit(
        ref Utf8JsonReader reader, string file, ReadOnlySpan<byte> json, Stack<Scope> scopes,
        List<ConfigProblem> problems)
    {
        if (reader.TokenType == JsonTokenType.PropertyName)
        {
            var (scope, key) = (scopes.Peek(), reader.GetString()!);
            scope.Key = key;
            var line = 1 + json[..(int)reader.TokenStartIndex].Count((byte)'\n');
            if (!scope.Keys.TryAdd(key, line))
            {
                problems.Add(new(
                    ConfigPath.Of([.. scopes.Reverse().Select(s => s.Key)]),
                    $"is given twice, in lines {scope.Keys[key]} and {line} of {file}"));
            }
        }
        else if (reader.TokenType is JsonTokenType.EndObject or JsonTokenType.EndArray)
        {
            scopes.Pop();
        }
        else
        {
            if (scopes.TryPeek(out var list) && list.IsList)
            {
                list.Key = (++list.Index).ToString();
            }

            if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
            {
                scopes.Push(new Scope(reader.TokenType == JsonTokenType.StartArray));
            }

            if (scopes.Count == 0 || (scopes.Count == 1 && scopes.Peek().IsList))
            {
                problems.Add(new(file, "is no configuration: an object { … } is expected"));
            }
        }
    }

    private static string Reason(JsonException e)
    {
        var text = e.Message;
        var end = text.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return end < 0 ? text : text[..end];
    }

    private sealed class Scope(bool isList)
    {
        public bool IsList { get; } = isList;

        public int Index { get; set; } = -1;

        public string Key { get; set; } = "";

        public Dictionary<string, int> Keys { get; } = new(StringComparer.OrdinalIgnoreCase);
    }
}
