using System.Text.Json;
using Microsoft.Extensions.Configuration.Json;

namespace FenceGateway.Gateway.Configuration;

/// <summary>Finds and reads the configuration file.</summary>
internal static class ConfigurationFile
{
    public const string DefaultName = "config/gateway.json";

    /// <summary>
    /// More than any configuration a person or a generator writes; a wrong file is not read into memory.
    /// </summary>
    private const int MaxBytes = 16 * 1024 * 1024;

    private static readonly JsonDocumentOptions Lenient =
        new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

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
            using var stream = new FileStream(
                file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
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
            using var document = JsonDocument.Parse(new MemoryStream(json), Lenient);
            MarkEmptyObjects(document.RootElement, "", values.Values);
            return values.Values;
        }
        catch (FormatException e)
        {
            // Two spellings of one key that only .NET takes for the same, such as "A:B" beside "A": { "B" }.
            problems.Add(new(file, e.Message));
            return null;
        }
    }

    /// <summary>
    /// .NET takes an empty object for null. Here it is a part that is on with all its defaults: it gets an empty value.
    /// </summary>
    private static void MarkEmptyObjects(JsonElement element, string path, IDictionary<string, string?> values)
    {
        foreach (var property in element.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.Object))
        {
            var key = path.Length == 0 ? property.Name : ConfigurationPath.Combine(path, property.Name);
            if (property.Value.EnumerateObject().Any())
            {
                MarkEmptyObjects(property.Value, key, values);
            }
            else if (key.StartsWith(SectionNames.Gateway, StringComparison.OrdinalIgnoreCase))
            {
                values[key] = "";
            }
        }
    }

    private sealed class JsonValues(JsonStreamConfigurationSource source) : JsonStreamConfigurationProvider(source)
    {
        public IDictionary<string, string?> Values => Data;
    }
}
