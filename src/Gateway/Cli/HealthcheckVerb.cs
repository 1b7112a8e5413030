using FenceGateway.Gateway.Admin;
using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Cli;

/// <summary><c>healthcheck</c>: asks a running gateway whether it is ready.</summary>
internal sealed class HealthcheckVerb(TimeProvider time, TextWriter output)
{
    public async Task<int> RunAsync(
        string? url, string timeout, GatewayArguments arguments, CancellationToken cancellationToken)
    {
        if (!Durations.TryParse(timeout, out var limit) || limit <= TimeSpan.Zero)
        {
            throw new CliException($"--timeout is '{timeout}' where a duration hh:mm:ss[.fff] is expected.");
        }

        var target = Target(url ?? $"{AdminUrl(arguments)}/healthz")
            ?? throw new CliException($"'{url ?? AdminUrl(arguments)}' is no http address.");
        using var deadline = new CancellationTokenSource(limit.Value, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        return await AskAsync(target, either.Token);
    }

    private async Task<int> AskAsync(Uri target, CancellationToken cancellationToken)
    {
        // A proxy of the environment is for the way out, not for the listener next door.
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false });
        client.Timeout = Timeout.InfiniteTimeSpan;
        try
        {
            using var response = await client.GetAsync(
                target, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            await output.WriteLineAsync(
                $"{(response.IsSuccessStatusCode ? "ready" : "not ready")}: {target} answered "
                    + $"{(int)response.StatusCode}");
            return response.IsSuccessStatusCode ? ExitCode.Done : ExitCode.Failed;
        }
        catch (HttpRequestException e)
        {
            await output.WriteLineAsync($"not reachable: {target}: {e.Message}");
        }
        catch (OperationCanceledException)
        {
            await output.WriteLineAsync($"not reachable: {target}: no answer in time");
        }

        return ExitCode.Failed;
    }

    /// <summary>
    /// Where the configuration says that the admin listener is. A file that is broken is no reason to fail: the gateway
    /// still runs with the last good one, and it is the gateway that is asked about.
    /// </summary>
    private static string AdminUrl(GatewayArguments arguments)
    {
        IDictionary<string, string?>? values = null;
        try
        {
            var file = ConfigurationFile.Locate(arguments.ConfigFile);
            var ignored = new List<ConfigProblem>();
            values = ConfigurationFile.Read(file, ignored) is { } json
                ? ConfigurationFile.Parse(file, json, ignored)
                : null;
        }
        catch (ConfigurationRejectedException) when (arguments.ConfigFile is null)
        {
            // No file at all: environment, command line and default remain.
        }

        var configuration = ConfigurationLayers.Of(arguments.Settings).Build(
            values ?? new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase));
        return (configuration["FenceGateway:Admin:Url"] is { Length: > 0 } url ? url : new AdminOptions().Url).TrimEnd(
            '/');
    }

    /// <summary>An address to listen on as one to connect to.</summary>
    private static Uri? Target(string url)
    {
        var reachable = url.Replace("://*", "://127.0.0.1", StringComparison.Ordinal)
            .Replace("://+", "://127.0.0.1", StringComparison.Ordinal)
            .Replace("://0.0.0.0", "://127.0.0.1", StringComparison.Ordinal)
            .Replace("://[::]", "://[::1]", StringComparison.Ordinal);
        return Uri.TryCreate(reachable, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? uri : null;
    }
}
