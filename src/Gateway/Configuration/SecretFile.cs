using System.Text;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Configuration;

/// <summary>
/// A file with one secret in it. What is wrong with it is told with its path, and with nothing of what is in it.
/// </summary>
internal static class SecretFile
{
    /// <summary>Far more than any password, and no more than is read of a file that is none.</summary>
    private const int MaxBytes = 4096;

    private static readonly UTF8Encoding Strict = new(
        encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <exception cref="TokenStoreUnavailableException">There is none; nothing was sent to the store.</exception>
    public static string Read(string path) => TryRead(path, out var secret) is { } fault
        ? throw new TokenStoreUnavailableException($"The password file '{path}' {fault}") { NotTaken = true }
        : secret;

    /// <summary>What is wrong with the file, to follow its name; null when nothing is.</summary>
    public static string? Fault(string path) => TryRead(path, out _);

    private static string? TryRead(string path, out string secret)
    {
        secret = "";
        try
        {
            using var file = File.OpenRead(path);
            var bytes = new byte[MaxBytes + 1];
            var length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length > MaxBytes)
            {
                return $"is longer than {MaxBytes} bytes: it holds the password and nothing else";
            }

            secret = Strict.GetString(bytes, 0, length).TrimEnd('\r', '\n');
            return secret.Length == 0 ? "is empty" : null;
        }
        catch (DecoderFallbackException)
        {
            return "is not UTF-8 text";
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return "is no file; a relative path is relative to the working directory";
        }
        catch (Exception e) when (
            e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return $"cannot be read: {SecretText.Shown(e.Message.ReplaceLineEndings(" "))}";
        }
    }
}
