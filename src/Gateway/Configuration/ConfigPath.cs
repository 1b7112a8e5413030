using System.Text;

namespace FenceGateway.Gateway.Configuration;

/// <summary>Writes a configuration path (<c>A:B:0</c>) as a JSON path (<c>$.A.B[0]</c>).</summary>
internal static class ConfigPath
{
    public static string Of(string configurationPath)
    {
        var path = new StringBuilder("$");
        foreach (var key in configurationPath
            .Split(ConfigurationPath.KeyDelimiter, StringSplitOptions.RemoveEmptyEntries))
        {
            Append(path, key);
        }

        return path.ToString();
    }

    public static string Of(params ReadOnlySpan<string> keys)
    {
        var path = new StringBuilder("$");
        foreach (var key in keys)
        {
            Append(path, key);
        }

        return path.ToString();
    }

    private static void Append(StringBuilder path, string key)
    {
        if (key.All(char.IsAsciiDigit))
        {
            path.Append('[').Append(key).Append(']');
        }
        else if (key.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '$'))
        {
            path.Append('.').Append(key);
        }
        else
        {
            path.Append("['").Append(key.Replace("'", "\\'", StringComparison.Ordinal)).Append("']");
        }
    }
}
