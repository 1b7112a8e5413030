using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace FenceGateway.TestKit;

/// <summary>
/// One command on a connection of its own, which no client library sets up first: the server may be a Sentinel, part of
/// a cluster, or one that permits nothing but this command. Tests ask by the thousand, too often for a process of
/// redis-cli each.
/// </summary>
internal static class RedisCommand
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    /// <summary>
    /// What the server answered: the items of an array in lines, nothing for nil, the text of an error, or why there
    /// was no answer.
    /// </summary>
    public static async Task<string> RunAsync(
        int port, string? password, TestCertificates? certificates, IEnumerable<string> command)
    {
        using var limit = new CancellationTokenSource(Limit, TimeProvider.System);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", port, limit.Token);
            client.NoDelay = true;
            await using Stream stream = certificates is null
                ? client.GetStream()
                : await EncryptAsync(client.GetStream(), certificates, limit.Token);
            // What is read byte by byte below.
            await using var buffered = new BufferedStream(stream);
            if (password is not null)
            {
                _ = await ExchangeAsync(buffered, ["AUTH", password], limit.Token);
            }

            return (await ExchangeAsync(buffered, [.. command], limit.Token)).TrimEnd();
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
        {
            return e.Message;
        }
    }

    private static async Task<SslStream> EncryptAsync(
        Stream stream, TestCertificates certificates, CancellationToken limit)
    {
        using var authority = X509CertificateLoader.LoadCertificateFromFile(certificates.AuthorityFile);
        var trust =
            new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, CustomTrustStore = { authority } };
        trust.RevocationMode = X509RevocationMode.NoCheck;
        var encrypted = new SslStream(stream);
        await encrypted.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = "localhost",
                CertificateChainPolicy = trust,
                ClientCertificates = [X509Certificate2.CreateFromPemFile(certificates.ClientFile)],
            },
            limit);
        return encrypted;
    }

    private static async Task<string> ExchangeAsync(Stream stream, string[] command, CancellationToken limit)
    {
        var request = new StringBuilder().Append(CultureInfo.InvariantCulture, $"*{command.Length}\r\n");
        foreach (var part in command)
        {
            _ = request.Append(CultureInfo.InvariantCulture, $"${Encoding.UTF8.GetByteCount(part)}\r\n{part}\r\n");
        }

        await stream.WriteAsync(Encoding.UTF8.GetBytes(request.ToString()), limit);
        await stream.FlushAsync(limit);
        return await ReadAsync(stream, limit);
    }

    private static async Task<string> ReadAsync(Stream stream, CancellationToken limit)
    {
        var line = await ReadLineAsync(stream, limit);
        var rest = line[1..];
        switch (line[0])
        {
            case '*':
                var items = new List<string>();
                for (var left = Number(rest); left > 0; left--)
                {
                    items.Add(await ReadAsync(stream, limit));
                }

                return string.Join('\n', items);
            case '$' when Number(rest) >= 0:
                var bytes = new byte[Number(rest) + 2];
                await stream.ReadExactlyAsync(bytes, limit);
                return Encoding.UTF8.GetString(bytes.AsSpan(..^2));
            case '$':
                return "";
            case '+' or '-' or ':':
                return rest;
            default:
                throw new IOException($"No answer of Redis: {line}");
        }
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static async Task<string> ReadLineAsync(Stream stream, CancellationToken limit)
    {
        var line = new StringBuilder();
        var one = new byte[1];
        while (line.Length < 2 || line[^1] != '\n')
        {
            await stream.ReadExactlyAsync(one, limit);
            _ = line.Append((char)one[0]);
        }

        return line.ToString(0, line.Length - 2);
    }
}
