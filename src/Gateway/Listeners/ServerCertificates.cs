using System.Collections.Concurrent;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FenceGateway.Gateway.Listeners;

/// <summary>
/// Gives new connections the certificate that is in the files now; Kestrel itself keeps the one of the start. Files
/// that cannot be used change nothing. Kestrel's own reload would watch one file of two, not see a link that is turned,
/// and close the endpoint's connections.
/// </summary>
internal sealed partial class ServerCertificates
{
    private readonly List<CertificateFile> _files;
    private readonly bool _hasHttp3;
    private readonly ILogger<ServerCertificates> _logger;

    /// <summary>The file of each certificate that was in it since the start, by thumbprint.</summary>
    private readonly ConcurrentDictionary<string, CertificateFile> _fileOf = new(StringComparer.OrdinalIgnoreCase);

    private readonly ConcurrentDictionary<CertificateFile, SslStreamCertificateContext> _renewed = [];

    public ServerCertificates(IConfiguration configuration, ILogger<ServerCertificates> logger)
    {
        _logger = logger;
        var kestrel = configuration.GetSection("Kestrel");
        var sections = Sections(kestrel).Where(section => section["Path"] is { Length: > 0 });
        _files = [.. sections.Select(section => new CertificateFile(section))];
        _hasHttp3 = kestrel.AsEnumerable().Any(pair =>
            pair.Key.EndsWith(":Protocols", StringComparison.OrdinalIgnoreCase)
            && pair.Value?.Contains(nameof(HttpProtocols.Http3), StringComparison.OrdinalIgnoreCase) == true);
        foreach (var file in _files)
        {
            _ = file.HasChanged();
            if (TryLoad(file, offline: true, out _) is { } first)
            {
                Claim(file, first);
            }
        }
    }

    /// <summary>
    /// Lets Kestrel's endpoints take what is renewed. HTTP/3 has no such place: with it, certificates are those of the
    /// start.
    /// </summary>
    public void Follow(KestrelServerOptions kestrel)
    {
        if (_files.Count > 0 && !_hasHttp3)
        {
            kestrel.ConfigureHttpsDefaults(https => https.OnAuthenticate = Renew);
        }
    }

    /// <summary>Reads the files that have changed. Called by one thread at a time.</summary>
    public void Look()
    {
        foreach (var file in _files.Where(file => file.HasChanged()))
        {
            if (TryLoad(file, offline: false, out var fault) is not { } context)
            {
                Log.Unusable(_logger, file.Section, file.File, fault);
                continue;
            }

            var certificate = context.TargetCertificate;
            _renewed[file] = context;
            Claim(file, context);
            Log.Renewed(_logger, file.Section, file.File, certificate.Subject, certificate.NotAfter.ToUniversalTime());
        }
    }

    /// <summary>Two files may have begun with one certificate: the one that was renewed last speaks for both.</summary>
    private void Claim(CertificateFile file, SslStreamCertificateContext context)
    {
        file.Known.Add(context.TargetCertificate.Thumbprint);
        file.Known.ForEach(thumbprint => _fileOf[thumbprint] = file);
    }

    private void Renew(ConnectionContext connection, SslServerAuthenticationOptions options)
    {
        var atStart = options.ServerCertificateContext?.TargetCertificate
            ?? options.ServerCertificate as X509Certificate2;
        if (atStart is not null && _fileOf.TryGetValue(atStart.Thumbprint, out var file)
            && _renewed.TryGetValue(file, out var renewed))
        {
            options.ServerCertificateContext = renewed;
        }
    }

    private static SslStreamCertificateContext? TryLoad(CertificateFile file, bool offline, out string fault)
    {
        try
        {
            fault = "";
            return file.Load(offline);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Whatever is in a file, it must not end the watch.
            fault = e.Message.ReplaceLineEndings(" ");
            return null;
        }
    }

    private static IEnumerable<IConfigurationSection> Sections(IConfigurationSection kestrel)
    {
        yield return kestrel.GetSection("Certificates:Default");
        foreach (var endpoint in kestrel.GetSection("Endpoints").GetChildren())
        {
            yield return endpoint.GetSection("Certificate");
            foreach (var name in endpoint.GetSection("Sni").GetChildren())
            {
                yield return name.GetSection("Certificate");
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1110, LogLevel.Information,
            "New connections get the certificate that is in {file} now ({section}): {subject}, valid until {until}.")]
        public static partial void Renewed(ILogger logger, string section, string file, string subject, DateTime until);

        [LoggerMessage(1111, LogLevel.Warning,
            "The certificate in {file} ({section}) has changed and cannot be used, the one before stays: {fault}")]
        public static partial void Unusable(ILogger logger, string section, string file, string fault);
    }
}
