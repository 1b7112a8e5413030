using FenceGateway.Gateway.Lifecycle;
using FenceGateway.Gateway.Problems;
using Microsoft.AspNetCore.Http.Timeouts;

namespace FenceGateway.Gateway.Requests;

/// <summary>What has ended a wait before the request's turn came.</summary>
internal enum WaitEnd
{
    ClientLeft,

    /// <summary>The route's own time-out has passed.</summary>
    TimedOut,

    ShuttingDown,
}

/// <summary>
/// A request's wait for its turn, which ends with its client, with its route's time-out and with the gateway.
/// </summary>
internal sealed class RequestWait(HttpContext context, ShutdownSignal shutdown) : IDisposable
{
    private readonly CancellationTokenSource _stop =
        CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, shutdown.Stopping);

    public CancellationToken Token => _stop.Token;

    /// <summary>What has ended it, once <see cref="Token"/> is cancelled.</summary>
    public WaitEnd End => shutdown.Stopping.IsCancellationRequested ? WaitEnd.ShuttingDown
        : context.Features.Get<IHttpRequestTimeoutFeature>()?.RequestTimeoutToken.IsCancellationRequested == true
            ? WaitEnd.TimedOut
            : WaitEnd.ClientLeft;

    /// <summary>Ends a request whose client has left, or that the gateway does not wait for any longer.</summary>
    public static Task GiveUpAsync(HttpContext context, WaitEnd end)
    {
        if (end == WaitEnd.ShuttingDown)
        {
            return ProblemResponse.WriteAsync(
                context, ProblemType.ShuttingDown,
                "The gateway stops; the request was still waiting for its turn. It was not forwarded.",
                ProblemResponse.Soon);
        }

        ProblemResponse.Abandon(context);
        return Task.CompletedTask;
    }

    public void Dispose() => _stop.Dispose();
}
