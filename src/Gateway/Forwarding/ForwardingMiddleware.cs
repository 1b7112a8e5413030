using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Problems;
using FenceGateway.Gateway.Requests;
using FenceGateway.TokenStore;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Timeouts;
using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// Stands around the forwarder on every route: learns how the request ended, answers 502 or 504 where the service did not
/// answer, and tells the fence how an admitted write ended.
/// </summary>
internal sealed class ForwardingMiddleware(
    RequestDelegate next,
    WriteDeadline.Pool deadlines,
    FencingMetrics metrics,
    TimeProvider time,
    ILogger<ForwardingMiddleware> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var request = context.Features.GetRequiredFeature<GatewayRequest>();
        try
        {
            await next(context);
        }
        catch
        {
            // Nobody knows what was sent. The exception goes on to whoever answers it.
            EndWrite(context, request, new ForwardOutcome(ForwardEnd.InDoubt, TimedOut: false), "the gateway failed");
            throw;
        }

        if (context.Features.Get<IForwarderErrorFeature>() is { } failure)
        {
            await FailAsync(context, request, failure);
        }
        else if (request.InFlight is not null)
        {
            EndWrite(context, request, new ForwardOutcome(ForwardEnd.Answered, TimedOut: false), "");
        }
    }

    private Task FailAsync(HttpContext context, GatewayRequest request, IForwarderErrorFeature failure)
    {
        var expired = request.InFlight?.IsCancellationRequested
            ?? context.Features.Get<IHttpRequestTimeoutFeature>()?.RequestTimeoutToken.IsCancellationRequested
            ?? false;
        var outcome = ForwardOutcome.Classify(failure.Error, failure.Exception, expired);
        var inDoubt = EndWrite(context, request, outcome, failure.Error.ToString());
        if (context.Response.HasStarted)
        {
            return Task.CompletedTask;
        }

        if (IsAboutTheRequestBody(failure.Error) && request.ServiceStatus != 0)
        {
            // The service has answered without waiting for the body: its word stands, not the gateway's about the body.
            context.Response.StatusCode = request.ServiceStatus;
            return Task.CompletedTask;
        }

        return AnswerAsync(context, failure, outcome, inDoubt);
    }

    private static Task AnswerAsync(HttpContext context, IForwarderErrorFeature failure, ForwardOutcome outcome, bool inDoubt)
    {
        var doubt = inDoubt ? " The write may have been applied: its end is unknown." : "";
        if (outcome.TimedOut)
        {
            return ProblemResponse.WriteAsync(
                context, ProblemType.UpstreamTimeout, "The service did not give a complete answer in time." + doubt);
        }

        if (failure.Error is ForwarderError.RequestBodyClient)
        {
            return ProblemResponse.WriteAsync(context, ClientFault(failure.Exception), "The request body cannot be taken: "
                + "it ended too early, came too slowly, or is malformed or too large." + doubt);
        }

        var reason = failure.Error switch
        {
            ForwarderError.NoAvailableDestinations => "No destination of this route's cluster is available.",
            _ when outcome.End == ForwardEnd.NotSent => "No connection to the service came about; nothing was sent.",
            _ => "The connection to the service ended before its answer was complete.",
        };
        return ProblemResponse.WriteAsync(context, ProblemType.UpstreamUnreachable, reason + doubt);
    }

    private static bool IsAboutTheRequestBody(ForwarderError error) => error is
        ForwarderError.RequestBodyClient or ForwarderError.RequestBodyCanceled or ForwarderError.RequestBodyDestination;

    /// <summary>What Kestrel had against the body, as far as it says so.</summary>
    private static ProblemType ClientFault(Exception? exception)
    {
        while (exception is not null and not BadHttpRequestException)
        {
            exception = exception.InnerException;
        }

        return (exception as BadHttpRequestException)?.StatusCode switch
        {
            StatusCodes.Status413PayloadTooLarge => ProblemType.ContentTooLarge,
            StatusCodes.Status408RequestTimeout => ProblemType.RequestTimeout,
            _ => ProblemType.BadRequest,
        };
    }

    /// <summary>Ends the write in flight, if there is one. Whether it is in doubt now.</summary>
    private bool EndWrite(HttpContext context, GatewayRequest request, ForwardOutcome outcome, string reason)
    {
        if (request.End() is not { } write)
        {
            return false;
        }

        // The deadline is about to be lent to another request: this one must not hear of it any more.
        context.Features.GetRequiredFeature<IHttpRequestLifetimeFeature>().RequestAborted = CancellationToken.None;
        deadlines.Return(write.Deadline);
        var (policy, fence, token) = (request.Policy!, request.Fence!, request.Token);
        var inDoubt = outcome.End == ForwardEnd.InDoubt;
        if (inDoubt)
        {
            request.Outcome = FenceOutcome.InDoubt;
            FenceTable.EndInDoubt(fence, token, policy.InDoubtHold, time);
            logger.InDoubt(fence.Resource.Value, token.Value, reason, policy.InDoubtHold);
        }
        else
        {
            FenceTable.End(fence, token);
        }

        if (write.Started != 0)
        {
            metrics.Wrote(policy, request.Outcome!.Value, time.GetElapsedTime(write.Started));
        }

        return inDoubt;
    }
}
