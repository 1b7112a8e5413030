using System.Text.Json;
using Microsoft.Extensions.Configuration.Json;

namespace FenceGateway.Gateway.Configuration;

/// <summary>Finds and reads the configuration file.</summary>
internal static class ConfigurationFile
{
    public const string DefaultName = "config/gateway.json";

    /// <summary>More than any configuration a person or a generator writes; a wrong file is not read into memory.</summary>
    private const int MaxBytes = 16 * 1024 * 1024;

    /// <summary>The named file, else the default one below the working directory, else beside the executable.</summary>
    /// <exception cref="ConfigurationRejectedException">There is none.</exception>
    public static string Locate(string? named)
    {
        string[] candidates = named is not null
            ? [Path.GetFullPath(named)]
            : [Path.GetFullPath(DefaultName), Path.Combine(AppContext.BaseDirectory, DefaultName)];
        return Array.Find(candidates, File.Exists)
            ?? throw new ConfigurationRejectedException([new(
                candidates[0],
                named is not null
                    ? "does not exist"
                    : $"does not exist, nor does {candidates[1]}; name a configuration file with --config FILE")]);
    }

    /// <summary>The bytes of the file, or null with a problem.</summary>
    public static byte[]? Read(string file, List<ConfigProblem> problems)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (stream.Length <= MaxBytes)
            {
                var bytes = new byte[stream.Length];
                return bytes[..stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
            }

            problems.Add(new(file, $"is larger than {MaxBytes / 1024 / 1024} MiB"));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            problems.Add(new(file, "does not exist"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Add(new(file, $"cannot be read: {e.Message}"));
        }

        return null;
    }

    /// <summary>The file's keys and values as .NET configuration has them, or null with problems.</summary>
    public static IDictionary<string, string?>? Parse(string file, byte[] json, List<ConfigProblem> problems)
    {
        var before = problems.Count;
        JsonFileRules.Check(file, json, problems);
        if (problems.Count > before)
        {
            return null;
        }

        try
        {
            using var stream = new MemoryStream(json);
            var values = new JsonValues(new JsonStreamConfigurationSource { Stream = stream });
            values.Load();
            return values.Values;
        }
        catch (FormatException e)
        {
            // Two spellings of one key that only .NET takes for the same, such as "A:B" beside "A": { "B" }.
            problems.Add(new(file, e.Message));
            return null;
        }
    }

    private sealed class JsonValues(JsonStreamConfigurationSource source) : JsonStreamConfigurationProvider(source)
    {
        public IDictionary<string, string?> Values => Data;
    }
}

/// <summary>What must hold of the JSON text itself. .NET's reader stops at the first duplicate and gives no place.</summary>
internal static class JsonFileRules
{
    public static void Check(string file, ReadOnlySpan<byte> json, List<ConfigProblem> problems)
    {
        json = json.StartsWith("\uFEFF"u8) ? json[3..] : json;
        var reader = new Utf8JsonReader(json, new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
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
        ref Utf8JsonReader reader, string file, ReadOnlySpan<byte> json, Stack<Scope> scopes, List<ConfigProblem> problems)
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
