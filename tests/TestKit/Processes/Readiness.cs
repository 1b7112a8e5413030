using System.Net;

namespace FenceGateway.TestKit;

/// <summary>
/// Asks a child process over HTTP until it answers as hoped; nothing else tells when a process listens.
/// </summary>
internal static class Readiness
{
    /// <summary>
    /// A process that starts needs a second of processor time, which may be long in coming beside many others.
    /// </summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    public static async Task WaitAsync(ChildProcess process, Uri address, HttpStatusCode wanted, TimeSpan? limit = null)
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        using var end = new CancellationTokenSource(limit ?? Limit);
        var last = "no answer";
        while (true)
        {
            if (process.HasExited)
            {
                var code = await process.WaitForExitAsync();
                throw new InvalidOperationException(
                    $"The process ended with {code} before it was ready:\n{process.Tail()}");
            }

            try
            {
                using var response = await client.GetAsync(address, end.Token);
                if (response.StatusCode == wanted)
                {
                    return;
                }

                last = $"{(int)response.StatusCode}";
                await Task.Delay(Pause, TimeProvider.System, end.Token);
            }
            catch (HttpRequestException e)
            {
                last = e.Message;
                await Task.Delay(Pause, TimeProvider.System, CancellationToken.None);
            }
            catch (OperationCanceledException) when (!end.IsCancellationRequested)
            {
                last = "a single attempt took too long";
            }
            catch (OperationCanceledException)
            {
            }

            if (end.IsCancellationRequested)
            {
                throw new TimeoutException($"{address} never answered {(int)wanted}, last: {last}\n{process.Tail()}");
            }
        }
    }
}
