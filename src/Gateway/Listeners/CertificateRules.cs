using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Stores;

namespace FenceGateway.Gateway.Listeners;

/// <summary>What must hold of the PEM files of an encrypted connection: they can be read, and they are used.</summary>
internal static class CertificateRules
{
    /// <param name="authority">File of the authorities; null for the system's.</param>
    /// <param name="client">File of the gateway's own certificate with its key; null for none.</param>
    /// <param name="unused">Why they do nothing, where the connection is not encrypted; null where it is.</param>
    /// <param name="path">Where the section stands.</param>
    /// <param name="problems">Gets what is wrong.</param>
    public static void Check(
        string? authority, string? client, string? unused, string path, List<ConfigProblem> problems)
    {
        Check(authority, nameof(RedisStoreOptions.CertificateAuthority), AuthorityFault);
        Check(client, nameof(RedisStoreOptions.ClientCertificate), ClientFault);

        void Check(string? file, string key, Func<string, string?> fault)
        {
            if (file is not null && (unused ?? fault(file)) is { } wrong)
            {
                problems.Add(new($"{path}.{key}", wrong));
            }
        }
    }

    private static string? AuthorityFault(string file) => Try(file, () =>
    {
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(file);
        foreach (var authority in authorities)
        {
            authority.Dispose();
        }

        return authorities.Count > 0;
    });

    private static string? ClientFault(string file) => Try(file, () =>
    {
        using var certificate = X509Certificate2.CreateFromPemFile(file);
        return certificate.HasPrivateKey;
    });

    private static string? Try(string file, Func<bool> holdsWhatItShould)
    {
        if (!File.Exists(file))
        {
            return $"is '{SecretText.Shown(file)}', which is no file; a relative path is relative to the working "
                + "directory";
        }

        try
        {
            return holdsWhatItShould()
                ? null
                : $"is '{SecretText.Shown(file)}', in which there is no certificate in PEM form";
        }
        catch (Exception e) when (
            e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            return $"is '{SecretText.Shown(file)}', which cannot be used: {e.Message.ReplaceLineEndings(" ")}";
        }
    }
}
