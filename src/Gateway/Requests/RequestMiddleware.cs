using System.Diagnostics;
using FenceGateway.Gateway.Lifecycle;
using FenceGateway.Gateway.Problems;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Primitives;

namespace FenceGateway.Gateway.Requests;

/// <summary>
/// Outermost on the data listener: gives every request its correlation id and its feature, answers what nobody else
/// answered, and writes one line about it.
/// </summary>
internal sealed class RequestMiddleware(
    RequestDelegate next, string correlationHeader, string tenantHeader, ShutdownSignal shutdown, AccessLog log,
    TimeProvider time, ILogger<RequestMiddleware> logger)
{
    private const int MaxIdLength = 128;

    public async Task InvokeAsync(HttpContext context)
    {
        var started = time.GetTimestamp();
        var headers = context.Request.Headers;
        RequestSemantics.RemoveHopByHop(headers);
        var tenant = headers[tenantHeader];
        var request = new GatewayRequest
        {
            CorrelationHeader = correlationHeader,
            CorrelationId = ReadId(headers[correlationHeader]) ?? Activity.Current?.TraceId.ToHexString()
                ?? context.TraceIdentifier,
            TenantId = ReadId(tenant),
            TenantScope = tenant.Count == 0 ? null : tenant.ToString(),
        };
        headers[correlationHeader] = request.CorrelationId;
        context.Response.Headers[correlationHeader] = request.CorrelationId;
        context.Features.Set(request);
        if (shutdown.IsAnnounced)
        {
            // Connection: close, or GOAWAY: the client's next request goes elsewhere, instead of meeting a closed
            // connection.
            context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        }

        try
        {
            await next(context);
            if (FrameworkAnswers.IsBare(context, request))
            {
                await FrameworkAnswers.WriteAsync(context);
            }
        }
        catch (BadHttpRequestException e) when (!context.Response.HasStarted)
        {
            await ProblemResponse.WriteBadBodyAsync(context, e, "");
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            logger.Failed(e, context.Request.Method, context.Request.Path.Value);
            await ProblemResponse.WriteAsync(
                context, ProblemType.InternalError, "The gateway failed; its log says how.");
        }
        finally
        {
            log.Ended(context, request, time.GetElapsedTime(started));
        }
    }

    /// <summary>
    /// An id that may stand in a log and a header as it is: one value, short, printable, without blanks.
    /// </summary>
    private static string? ReadId(StringValues values)
    {
        if (values.Count != 1 || values[0] is not { Length: > 0 and <= MaxIdLength } id)
        {
            return null;
        }

        foreach (var c in id)
        {
            if (c is <= ' ' or > '~')
            {
                return null;
            }
        }

        return id;
    }
}
