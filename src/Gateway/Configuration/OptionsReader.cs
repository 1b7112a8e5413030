using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;

namespace FenceGateway.Gateway.Configuration;

/// <summary>
/// Reads options from a section and reports everything in it that is not understood. .NET's binder ignores unknown keys
/// and stops at the first wrong value; a gateway that ignored a misspelt policy would not fence.
/// </summary>
internal sealed class OptionsReader(List<ConfigProblem> problems)
{
    /// <summary>Reads what is right; what is wrong keeps its default and is reported.</summary>
    public T Read<T>(IConfigurationSection section)
        where T : new()
    {
        var options = new T();
        ReadObject(section, options);
        return options;
    }

    private void ReadObject(IConfigurationSection section, object options)
    {
        var properties = options.GetType().GetProperties();
        var names = Array.ConvertAll(properties, p => p.Name);
        if (!string.IsNullOrEmpty(section.Value))
        {
            Report(section, $"{TheValue(section, properties)} where an object is expected; {Hint(names)}");
        }

        foreach (var child in section.GetChildren())
        {
            var index = Array.FindIndex(names, n => n.Equals(child.Key, StringComparison.OrdinalIgnoreCase));
            if (index < 0)
            {
                Report(child, $"is an unknown key; {NearestName.Hint(child.Key, names, "known keys")}");
            }
            else if (IsLeftOff(child, properties[index].GetValue(options)))
            {
                // null in the file: an optional part that stays off.
            }
            else if (ReadValue(child, properties[index].PropertyType, properties[index]) is { } value)
            {
                properties[index].SetValue(options, value);
            }
        }

        foreach (var property in properties)
        {
            if (property.GetValue(options) is null or "" && property.IsDefined(typeof(RequiredAttribute)))
            {
                problems.Add(new(ConfigPath.Of($"{section.Path}:{property.Name}"), "is required"));
            }
        }
    }

    private static bool IsLeftOff(IConfigurationSection section, object? byDefault) =>
        byDefault is null && section.Value is null && !section.GetChildren().Any();

    /// <summary>Null means: keep the default (the key is null in the file, or its value was reported).</summary>
    private object? ReadValue(IConfigurationSection section, Type type, PropertyInfo property)
    {
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Dictionary<,>))
        {
            return ReadDictionary(section, type);
        }

        if (type == typeof(List<string>))
        {
            return ReadTexts(section, property.IsDefined(typeof(SecretAttribute)));
        }

        if (type == typeof(List<int>))
        {
            return ReadNumbers(section, property);
        }

        if (type.IsClass && type != typeof(string))
        {
            var nested = Activator.CreateInstance(type)!;
            ReadObject(section, nested);
            return nested;
        }

        type = Nullable.GetUnderlyingType(type) ?? type;
        if (section.GetChildren().Any())
        {
            Report(section, $"is an object or a list where {OptionsText.Kind(type)} is expected");
            return null;
        }

        return section.Value is { } text ? ReadScalar(section, text, type, property) : null;
    }

    private IDictionary ReadDictionary(IConfigurationSection section, Type type)
    {
        var dictionary = (IDictionary)Activator.CreateInstance(type, StringComparer.OrdinalIgnoreCase)!;
        if (!string.IsNullOrEmpty(section.Value))
        {
            Report(
                section,
                $"is the value '{SecretText.Shown(section.Value)}' where an object is expected: {{ \"name\": {{ … }} "
                    + $"}}");
        }

        foreach (var child in section.GetChildren())
        {
            var entry = Activator.CreateInstance(type.GetGenericArguments()[1])!;
            ReadObject(child, entry);
            dictionary[child.Key] = entry;
        }

        return dictionary;
    }

    private List<string> ReadTexts(IConfigurationSection section, bool isSecret)
    {
        var list = new List<string>();
        foreach (var item in ReadItems(section, "\"", isSecret))
        {
            list.Add(item.Value ?? "");
            if (item.Value is null or "" || item.GetChildren().Any())
            {
                Report(item, "is not a text");
            }
        }

        return list;
    }

    private List<int> ReadNumbers(IConfigurationSection section, PropertyInfo property)
    {
        var list = new List<int>();
        foreach (var item in ReadItems(section, "", isSecret: false))
        {
            if (item.Value is null || item.GetChildren().Any())
            {
                Report(item, "is not a whole number");
            }
            else if (ReadScalar(item, item.Value, typeof(int), property) is int number)
            {
                list.Add(number);
            }
        }

        return list;
    }

    private IEnumerable<IConfigurationSection> ReadItems(IConfigurationSection section, string quote, bool isSecret)
    {
        if (!string.IsNullOrEmpty(section.Value))
        {
            Report(section, isSecret
                ? $"is a value where a list is expected: [ {quote}…{quote} ]"
                : $"is the value '{SecretText.Shown(section.Value)}' where a list is expected: [ "
                    + $"{quote}{SecretText.Shown(section.Value)}{quote} ]");
        }

        foreach (var child in section.GetChildren())
        {
            if (child.Key.All(char.IsAsciiDigit))
            {
                yield return child;
            }
            else
            {
                Report(child, "is a key where a list is expected");
            }
        }
    }

    private object? ReadScalar(IConfigurationSection section, string text, Type type, PropertyInfo property)
    {
        object? value = type switch
        {
            _ when type == typeof(string) => text,
            _ when type == typeof(bool) => bool.TryParse(text, out var truth) ? truth : null,
            _ when type == typeof(int) =>
                int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
                ? number : null,
            _ when type == typeof(double) => double.TryParse(
                text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture,
                out var share)
                ? share : null,
            _ when type == typeof(TimeSpan) => Durations.TryParse(text, out var duration) ? duration : null,
            _ when type.IsEnum => OptionsText.EnumValue(type, text),
            _ => throw new NotSupportedException($"Options of type {type} cannot be read."),
        };
        if (value is null)
        {
            Report(
                section,
                $"is '{SecretText.Shown(text)}' where {OptionsText.Kind(type)} is expected{EnumHint(type, text)}");
            return null;
        }

        if (property.GetCustomAttribute<RangeAttribute>() is { } range && !OptionsText.InRange(range, value))
        {
            Report(section, $"is {text}, out of range: {range.Minimum} to {range.Maximum}");
            return null;
        }

        return value;
    }

    private static string EnumHint(Type type, string text) =>
        type.IsEnum && NearestName.Of(text, Enum.GetNames(type)) is { } nearest ? $"; did you mean '{nearest}'?" : "";

    /// <summary>What belongs one level deeper may be a secret.</summary>
    private static string TheValue(IConfigurationSection section, PropertyInfo[] properties) =>
        properties.Any(p => p.IsDefined(typeof(SecretAttribute)))
            ? "is a value"
            : $"is the value '{SecretText.Shown(section.Value!)}'";

    private static string Hint(string[] names) => $"its keys are {string.Join(", ", names)}";

    private void Report(IConfigurationSection section, string message) =>
        problems.Add(new(ConfigPath.Of(section.Path), message));
}
