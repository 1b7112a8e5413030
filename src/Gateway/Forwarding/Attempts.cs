using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Resilience;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.Extensions.ObjectPool;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// Begins an attempt just before the forwarder, with the time-outs that apply to it, and concludes it behind the
/// forwarder.
/// </summary>
internal sealed class Attempts(ForwardDeadline.Pool deadlines, TimeProvider time)
{
    /// <summary>How long a request that outlives its client may take at most when nothing else bounds it.</summary>
    private static readonly TimeSpan LongestWithoutClient = TimeSpan.FromMinutes(5);

    private const int MaxIdle = 1024;
    private readonly DefaultObjectPool<GuardedBody> _bodies =
        new(new DefaultPooledObjectPolicy<GuardedBody>(), MaxIdle);

    private readonly DefaultObjectPool<ClientAnswer> _answers =
        new(new DefaultPooledObjectPolicy<ClientAnswer>(), MaxIdle);

    public void Begin(HttpContext context, GatewayRequest request)
    {
        ref var state = ref request.Attempts;
        var mechanisms = request.Mechanisms(context);
        var times = mechanisms.Timeouts;
        var now = time.GetTimestamp();
        (state.OpenedAt, state.Status, state.IsWhole) = (now, 0, false);
        if (state.Count++ == 0)
        {
            state.FirstAt = now;
        }

        if (mechanisms.Idle is { } idle && context.GetReverseProxyFeature() is var proxy and not IdleProxyFeature)
        {
            context.Features.Set<IReverseProxyFeature>(new IdleProxyFeature(proxy, idle));
        }

        var session = request.Ticket.SessionEnded;
        state.HasLeft = true;
        if (RequestSemantics.CanHaveBody(context))
        {
            state.Body = _bodies.Get();
            state.Body.Begin(context.Request.Body, request, time);
            context.Request.Body = state.Body;
        }

        var outlives = request.Ticket.IsBounded || request.OutlivesClient;
        if (!outlives && times is not ({ FirstByte: not null } or { Total: not null }))
        {
            return;
        }

        state.Client = outlives ? CancellationToken.None : context.RequestAborted;
        state.Deadline = deadlines.Start(times?.FirstByte, Remaining(request, times, now), state.Client, session);
        if (!request.Ticket.MayGo)
        {
            state.Deadline.EndSession();
        }

        context.RequestAborted = state.Deadline.Token;
    }

    /// <summary>The head of an answer with a body is there: where attempts are judged, it is noted how long the client
    /// takes for it.</summary>
    public void WatchAnswer(HttpContext context, GatewayRequest request)
    {
        if (request.Mechanisms(context) is { Circuits: null, Bulkheads: null })
        {
            return;
        }

        var answer = _answers.Get();
        answer.Begin(context.Features.GetRequiredFeature<IHttpResponseBodyFeature>(), time);
        request.Attempts.Answer = answer;
        context.Features.Set<IHttpResponseBodyFeature>(answer);
    }

    /// <summary>How long the request as a whole may still take; infinite when nothing bounds it.</summary>
    public TimeSpan Remaining(GatewayRequest request, TimeoutPolicy? times) =>
        Remaining(request, times, time.GetTimestamp());

    /// <summary>Concludes the open attempt, if there is one, by what the forwarder reports.</summary>
    public void End(HttpContext context, GatewayRequest request)
    {
        if (request.Attempts.OpenedAt == 0)
        {
            return;
        }

        var failure = context.Features.Get<IForwarderErrorFeature>();
        var duration = time.GetElapsedTime(request.Attempts.OpenedAt);
        Conclude(context, request, failure is null
            ? AttemptResult.OfAnswer(context.Response.StatusCode, request.InDoubtStatuses, duration)
            : AttemptResult.OfFailure(
                failure.Error, failure.Exception, WhyCut(context, request, failure),
                request.Attempts.HasLeft, request.Attempts.Status, duration));
    }

    /// <summary>Concludes the open attempt, if there is one, of which nobody knows what was sent.</summary>
    public void Abandon(HttpContext context, GatewayRequest request)
    {
        if (request.Attempts.OpenedAt != 0)
        {
            var duration = time.GetElapsedTime(request.Attempts.OpenedAt);
            Conclude(
                context, request,
                new AttemptResult(ForwardEnd.InDoubt, AttemptFault.Gateway, request.Attempts.Status, duration));
        }
    }

    private void Conclude(HttpContext context, GatewayRequest request, AttemptResult result)
    {
        ref var state = ref request.Attempts;
        state.OpenedAt = 0;
        result = result with { ClientTime = GiveClientBack(context, ref state) };
        state.Last = result;
        state.LeftInDoubt |= result.End == ForwardEnd.InDoubt;
        state.WasSent |= result.End != ForwardEnd.NotSent;
        state.MayBeApplied |= result.MayBeApplied;
        request.Mechanisms(context).Bulkheads?.Sample(result);
        request.Mechanisms(context).Circuits?.Report(context.GetReverseProxyFeature(), result);
        if (state.Deadline is { } deadline)
        {
            // The deadline is about to be lent to another request: this one must not hear of it any more.
            context.RequestAborted = state.Client;
            state.Deadline = null;
            deadlines.Return(deadline);
        }
    }

    /// <summary>Gives the request the client's own body and answer back. How long the attempt has waited for the
    /// client.</summary>
    private TimeSpan GiveClientBack(HttpContext context, ref AttemptState state)
    {
        var now = time.GetTimestamp();
        var waited = 0L;
        if (state.Body is { } body)
        {
            waited += body.Wait.Until(now);
            context.Request.Body = body.Inner;
            state.Body = null;
            if (body.End())
            {
                _bodies.Return(body);
            }
        }

        if (state.Answer is { } answer)
        {
            waited += answer.Wait.Until(now);
            context.Features.Set(answer.Inner);
            state.Answer = null;
            if (!answer.Wait.IsOpen)
            {
                _answers.Return(answer);
            }
        }

        return time.GetElapsedTime(0, waited);
    }

    private TimeSpan Remaining(GatewayRequest request, TimeoutPolicy? times, long now)
    {
        var remaining = request.OutlivesClient ? LongestWithoutClient : TimeSpan.MaxValue;
        if (times?.Total is { } total)
        {
            remaining = total - time.GetElapsedTime(request.Attempts.FirstAt, now);
        }

        if (request.Ticket.IsBounded)
        {
            var write = request.Policy!.WriteTimeout - time.GetElapsedTime(request.Ticket.AdmittedAt, now);
            remaining = write < remaining ? write : remaining;
        }

        return remaining == TimeSpan.MaxValue ? Timeout.InfiniteTimeSpan
            : remaining > TimeSpan.Zero ? remaining
            : TimeSpan.Zero;
    }

    private static AttemptFault WhyCut(HttpContext context, GatewayRequest request, IForwarderErrorFeature failure) =>
        request.Attempts.Deadline is { IsSessionOver: true } ? AttemptFault.SessionEnded
        : !HasTimedOut(context, request, failure) ? AttemptFault.None
        : request.Attempts.WaitsForClient ? AttemptFault.SlowClient
        : AttemptFault.TimedOut;

    /// <summary>
    /// Whether time ran out. YARP reports its own idle time-out as it reports a client that left, once the answer has
    /// begun.
    /// </summary>
    private static bool HasTimedOut(HttpContext context, GatewayRequest request, IForwarderErrorFeature failure)
    {
        if (failure.Error == ForwarderError.RequestTimedOut || HasBodyStoodStill(failure))
        {
            return true;
        }

        var isRoutesOver =
            context.Features.Get<IHttpRequestTimeoutFeature>()?.RequestTimeoutToken.IsCancellationRequested == true;
        if (request.Attempts.Deadline is { } deadline)
        {
            // The route's own time-out comes by the way of the client's abort.
            return deadline.IsClientGone ? isRoutesOver : deadline.HasPassed || IsCanceled(failure.Error);
        }

        return isRoutesOver
            || (IsCanceled(failure.Error) && !context.RequestAborted.IsCancellationRequested);
    }

    /// <summary>YARP's idle time-out has ended the reading of the client's body: a body that is bad, or a client that
    /// left, ends it otherwise.</summary>
    private static bool HasBodyStoodStill(IForwarderErrorFeature failure) =>
        failure.Error == ForwarderError.RequestBodyClient
        && failure.Exception is AggregateException { InnerException: OperationCanceledException };

    private static bool IsCanceled(ForwarderError error) => error is
        ForwarderError.RequestCanceled or ForwarderError.RequestBodyCanceled or ForwarderError.ResponseBodyCanceled;
}
