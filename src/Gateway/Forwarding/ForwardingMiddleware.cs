using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Problems;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// Stands around all attempts on every route: learns how the request ended, answers 502 or 504 where the service did
/// not answer, and tells the fence how an admitted write ended.
/// </summary>
internal sealed class ForwardingMiddleware(
    RequestDelegate next,
    Attempts attempts,
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
            attempts.Abandon(context, request);
            request.Attempts.LeftInDoubt = true;
            EndWrite(request, "the gateway failed");
            request.Places.Release();
            throw;
        }

        attempts.End(context, request);
        request.Places.Release();
        var last = request.Attempts.Last;
        if (last is { Fault: not AttemptFault.None } failed)
        {
            await FailAsync(context, request, failed, context.Features.GetRequiredFeature<IForwarderErrorFeature>());
        }
        else
        {
            EndWrite(
                request,
                last?.End == ForwardEnd.InDoubt
                    ? "the answer does not know its end"
                    : "an earlier attempt had no answer");
        }
    }

    private Task FailAsync(
        HttpContext context, GatewayRequest request, AttemptResult failed, IForwarderErrorFeature failure)
    {
        var inDoubt = EndWrite(
            request, failed.End == ForwardEnd.InDoubt ? Describe(failed.Fault) : "an earlier attempt had no answer")
            || (request.Attempts.LeftInDoubt && !RequestSemantics.IsSafe(context.Request.Method));
        if (context.Response.HasStarted)
        {
            return Task.CompletedTask;
        }

        if (IsAboutTheRequestBody(failure.Error) && request.Attempts is { IsWhole: true, Status: var status })
        {
            // The service has answered without waiting for the body: its word stands, not the gateway's about the body.
            context.Response.StatusCode = status;
            return Task.CompletedTask;
        }

        return AnswerAsync(context, failure, failed, request.Attempts.WasSent, inDoubt);
    }

    private static Task AnswerAsync(
        HttpContext context, IForwarderErrorFeature failure, AttemptResult failed, bool wasSent, bool inDoubt)
    {
        var sent = wasSent ? "an earlier attempt was sent." : "nothing was sent.";
        var doubt = inDoubt ? " The write may have been applied: its end is unknown." : "";
        if (failed.Fault == AttemptFault.TimedOut)
        {
            var what = failed.End == ForwardEnd.NotSent
                ? $"No connection to the service came about in time; {sent}"
                : "The service did not give a complete answer in time.";
            return ProblemResponse.WriteAsync(context, ProblemType.UpstreamTimeout, what + doubt);
        }

        if (failed is { Fault: AttemptFault.SessionEnded, End: ForwardEnd.NotSent } && !wasSent)
        {
            return ProblemResponse.WriteAsync(
                context, ProblemType.TokenStoreUnavailable,
                "The gateway lost its session in the token store. Nothing was sent; try again.",
                ProblemResponse.Soon);
        }

        if (failed.Fault == AttemptFault.SessionEnded)
        {
            return ProblemResponse.WriteAsync(
                context, ProblemType.UpstreamUnreachable,
                "The gateway lost its session in the token store and cut the write off." + doubt);
        }

        if (failed.Fault == AttemptFault.SlowClient)
        {
            return ProblemResponse.WriteAsync(
                context, ProblemType.RequestTimeout, "The body of the request did not come in time." + doubt);
        }

        if (failed.Fault == AttemptFault.Shortage && !wasSent)
        {
            return ProblemResponse.WriteAsync(
                context, ProblemType.Overloaded,
                "The gateway has no file descriptor or local port left for a connection to the service. "
                + "Nothing was sent; try again.",
                ProblemResponse.Soon);
        }

        if (failure.Error is ForwarderError.RequestBodyClient)
        {
            return ProblemResponse.WriteBadBodyAsync(context, failure.Exception, doubt);
        }

        var reason = failure.Error switch
        {
            ForwarderError.NoAvailableDestinations => "No destination of this route's cluster is available.",
            _ when failed.End == ForwardEnd.NotSent => $"No connection to the service came about; {sent}",
            _ => "The connection to the service ended before its answer was complete.",
        };
        return ProblemResponse.WriteAsync(context, ProblemType.UpstreamUnreachable, reason + doubt);
    }

    private static string Describe(AttemptFault fault) => fault switch
    {
        AttemptFault.TimedOut => "its time ran out",
        AttemptFault.Broken => "the connection to the service broke",
        AttemptFault.SessionEnded => "this gateway's session in the token store ended",
        AttemptFault.SlowClient => "its time ran out while its client was waited for",
        AttemptFault.Client => "its client left, or its body could not be read",
        AttemptFault.Unreachable => "an earlier attempt had no answer",
        _ => "the gateway failed",
    };

    private static bool IsAboutTheRequestBody(ForwarderError error) => error is
        ForwarderError.RequestBodyClient or ForwarderError.RequestBodyCanceled or ForwarderError.RequestBodyDestination;

    /// <summary>Ends the write in flight, if there is one. Whether it is in doubt now.</summary>
    /// <param name="request">The request, with what is known of all its attempts.</param>
    /// <param name="reason">What happened, if it is in doubt.</param>
    private bool EndWrite(GatewayRequest request, string reason)
    {
        if (!request.Ticket.TryEnd())
        {
            return false;
        }

        var (policy, fence, token) = (request.Policy!, request.Fence!, request.Token);
        var inDoubt = request.Attempts.LeftInDoubt;
        if (inDoubt)
        {
            request.Outcome = FenceOutcome.InDoubt;
            fence.EndInDoubt(token, policy.InDoubtHold, time);
            logger.InDoubt(fence.Resource.Value, token.Value, reason, policy.InDoubtHold);
        }
        else
        {
            fence.End(token);
        }

        if (metrics.TimesWrites)
        {
            metrics.Wrote(policy, request.Outcome!.Value, time.GetElapsedTime(request.Ticket.AdmittedAt));
        }

        return inDoubt;
    }
}
