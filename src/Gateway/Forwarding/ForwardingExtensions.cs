using System.Net;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Transforms;

namespace FenceGateway.Gateway.Forwarding;

internal static class ForwardingExtensions
{
    /// <summary>
    /// Tells the client of the service how long the connection may take to come about, and that a write in flight, or a
    /// request whose retries are counted, is sent once. Takes Expect away from the service only: Kestrel answers the
    /// client's own with 100 when the body is first read.
    /// </summary>
    public static IReverseProxyBuilder AddAttemptRequests(this IReverseProxyBuilder builder) =>
        builder.AddTransforms(static context => context.AddRequestTransform(static transform =>
        {
            var request = transform.HttpContext.Features.GetRequiredFeature<GatewayRequest>();
            var mechanisms = request.Mechanisms(transform.HttpContext);
            if (mechanisms.Timeouts?.Connect is { } connect)
            {
                ConnectTimeout.Set(transform.ProxyRequest, connect);
            }

            if (request.Ticket.IsOpen)
            {
                transform.ProxyRequest.Headers.ExpectContinue = null;
            }

            if (request.Ticket.IsOpen || mechanisms.Retrying is not null)
            {
                RequestContentHandler.SendOnce(transform.ProxyRequest, request);
            }

            // From here on it is known whether anything of a bounded write leaves.
            request.Attempts.HasLeft = !request.Ticket.IsBounded
                || !RequestContentHandler.LooksAt(transform.ProxyRequest);
            return ValueTask.CompletedTask;
        }));

    /// <summary>Takes note of the head of the service's answer, which goes on at once.</summary>
    public static IReverseProxyBuilder AddAnswerHeads(this IReverseProxyBuilder builder) =>
        builder.AddTransforms(static context =>
        {
            var attempts = context.Services.GetRequiredService<Attempts>();
            context.AddResponseTransform(transform =>
            {
                if (transform.ProxyResponse is { } answer)
                {
                    TakeHead(transform, answer, attempts);
                }

                return ValueTask.CompletedTask;
            });
        });

    private static void TakeHead(ResponseTransformContext transform, HttpResponseMessage answer, Attempts attempts)
    {
        var request = transform.HttpContext.Features.GetRequiredFeature<GatewayRequest>();
        transform.SuppressResponseBody |= request.Attempts.HeadArrived(answer);
        var response = transform.HttpContext.Response;
        if (answer.StatusCode is HttpStatusCode.NoContent or HttpStatusCode.ResetContent)
        {
            // Some services say that nothing is 0 bytes long, which the listener takes for a mistake.
            response.ContentLength = null;
        }
        else if (!transform.SuppressResponseBody && !request.Attempts.IsWhole
            && !RequestContentHandler.IsTunnel(answer.RequestMessage!))
        {
            attempts.WatchAnswer(transform.HttpContext, request);
            if (answer.Content.Headers.ContentLength is null)
            {
                answer.Content = new PromptAnswer(answer.Content, response);
            }
        }
    }
}
