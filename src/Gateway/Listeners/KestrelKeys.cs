using System.Security.Authentication;
using FenceGateway.Gateway.Configuration;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace FenceGateway.Gateway.Listeners;

/// <summary>
/// Finds what Kestrel would leave out of its section without a word: keys, and names of values, that it does not know.
/// </summary>
internal static class KestrelKeys
{
    private static readonly string[] OfCertificate =
        ["Path", "KeyPath", "Password", "Subject", "Store", "Location", "AllowInvalid"];

    private static readonly string[] OfEncryption =
        ["Protocols", "SslProtocols", "Certificate", "ClientCertificateMode"];

    private static readonly string[] OfEndpoint = ["Url", "Sni", .. OfEncryption];
    private static readonly string[] OfKestrel =
    [
        "Endpoints", "EndpointDefaults", "Certificates", "Limits",
        .. from property in typeof(KestrelServerOptions).GetProperties()
           where property.PropertyType == typeof(bool)
           select property.Name,
    ];

    private static readonly string[] OfLimits =
        [.. typeof(KestrelServerLimits).GetProperties().Select(static p => p.Name)];

    public static void Check(IConfigurationSection kestrel, List<ConfigProblem> problems)
    {
        Names(kestrel, OfKestrel, problems);
        Names(kestrel.GetSection("Limits"), OfLimits, problems);
        Encryption(kestrel.GetSection("EndpointDefaults"), OfEncryption, problems);
        Names(kestrel.GetSection("Certificates"), ["Default", "Development"], problems);
        foreach (var certificate in kestrel.GetSection("Certificates").GetChildren())
        {
            Names(certificate, OfCertificate, problems);
        }

        foreach (var endpoint in kestrel.GetSection("Endpoints").GetChildren())
        {
            Encryption(endpoint, OfEndpoint, problems);
            foreach (var host in endpoint.GetSection("Sni").GetChildren())
            {
                Encryption(host, OfEncryption, problems);
            }
        }
    }

    private static void Encryption(IConfigurationSection section, string[] names, List<ConfigProblem> problems)
    {
        Names(section, names, problems);
        Names(section.GetSection("Certificate"), OfCertificate, problems);
        Value<HttpProtocols>(section.GetSection("Protocols"), problems);
        Value<ClientCertificateMode>(section.GetSection("ClientCertificateMode"), problems);
        foreach (var protocol in section.GetSection("SslProtocols").GetChildren())
        {
            Value<SslProtocols>(protocol, problems);
        }
    }

    private static void Names(IConfigurationSection section, string[] known, List<ConfigProblem> problems)
    {
        foreach (var child in section.GetChildren())
        {
            if (!known.Contains(child.Key, StringComparer.OrdinalIgnoreCase))
            {
                var hint = NearestName.Hint(child.Key, known, "known keys");
                problems.Add(new(ConfigPath.Of(child.Path), $"is an unknown key; {hint}"));
            }
        }
    }

    private static void Value<T>(IConfigurationSection section, List<ConfigProblem> problems)
        where T : struct, Enum
    {
        if (section.Value is { } value && !Enum.TryParse<T>(value, ignoreCase: true, out _))
        {
            var hint = NearestName.Hint(value, Enum.GetNames<T>(), "values");
            problems.Add(new(ConfigPath.Of(section.Path), $"is '{value}'; {hint}"));
        }
    }
}
