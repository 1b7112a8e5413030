using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using FenceGateway.Gateway.Problems;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using Yarp.ReverseProxy.Model;

namespace FenceGateway.Gateway.Requests;

/// <summary>Writes the gateway's own answers: problem+json (RFC 9457) with <c>Proxy-Status</c> (RFC 9209).</summary>
internal static class ProblemResponse
{
    /// <summary>
    /// When to come again where nobody can know: when another request has ended, a disk works, the next gateway is
    /// there.
    /// </summary>
    public static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);

    /// <summary>
    /// So much of a body that nobody reads is taken all the same, for as long as Kestrel does that (5 s): a client that
    /// sends before it reads would see a reset instead of the answer.
    /// </summary>
    private const long Lingering = 256 * 1024 * 1024;

    private const string ContentType = "application/problem+json";
    private const int InitialBodySize = 768;

    private static readonly JsonWriterOptions WriterOptions = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    /// <summary>Answers <paramref name="type"/>. The response must not have started.</summary>
    /// <param name="context">The request.</param>
    /// <param name="type">What is wrong.</param>
    /// <param name="detail">What is wrong with this request and what to do, a sentence for the client's
    /// developer.</param>
    /// <param name="retryAfter">When another try can succeed; rounded up to whole seconds, at least one.</param>
    public static Task WriteAsync(HttpContext context, ProblemType type, string detail, TimeSpan? retryAfter = null) =>
        WriteAsync(context, Problem.Of(type), detail, retryAfter, allow: default);

    /// <summary>Answers any problem; <paramref name="allow"/> has the methods that are allowed instead, if it is about
    /// that.</summary>
    public static async Task WriteAsync(
        HttpContext context, Problem problem, string detail, TimeSpan? retryAfter, StringValues allow)
    {
        var response = context.Response;
        response.Clear();
        response.StatusCode = problem.Status;
        response.ContentType = ContentType;
        response.Headers["Proxy-Status"] = problem.ProxyStatus;
        response.Headers[HeaderNames.CacheControl] = "no-store";
        response.Headers.Allow = allow;
        if (retryAfter is { } wait)
        {
            var seconds = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds));
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        var request = context.Features.Get<GatewayRequest>();
        if (request is not null)
        {
            request.Problem = problem;
            request.WriteResponseHeader(context);
        }

        if (HttpMethods.IsHead(context.Request.Method))
        {
            return;
        }

        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = limit.MaxRequestBodySize is { } most ? Math.Max(most, Lingering) : null;
        }

        var body = new ArrayBufferWriter<byte>(InitialBodySize);
        using (var json = new Utf8JsonWriter(body, WriterOptions))
        {
            WriteBody(json, context, problem, detail, request);
        }

        response.ContentLength = body.WrittenCount;
        await response.Body.WriteAsync(body.WrittenMemory);
    }

    /// <summary>Answers that the client's body could not be read to its end.</summary>
    /// <param name="context">The request.</param>
    /// <param name="exception">What reading it ended with; somewhere in it Kestrel may say what it had against the
    /// body.</param>
    /// <param name="consequence">What that means for the request: a further sentence with a blank before it, or
    /// nothing.</param>
    public static Task WriteBadBodyAsync(HttpContext context, Exception? exception, string consequence)
    {
        while (exception is not null and not BadHttpRequestException)
        {
            exception = exception.InnerException;
        }

        var type = (exception as BadHttpRequestException)?.StatusCode switch
        {
            StatusCodes.Status413PayloadTooLarge => ProblemType.ContentTooLarge,
            StatusCodes.Status408RequestTimeout => ProblemType.RequestTimeout,
            _ => ProblemType.BadRequest,
        };
        return WriteAsync(
            context, type,
            "The request body cannot be taken: it ended too early, came too slowly, or is malformed or too large."
                + consequence);
    }

    /// <summary>
    /// The client has left before anything was forwarded. Nobody reads an answer; without this one the log would say
    /// 200.
    /// </summary>
    public static void Abandon(HttpContext context) =>
        context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;

    private static void WriteBody(
        Utf8JsonWriter json, HttpContext context, Problem problem, string detail, GatewayRequest? request)
    {
        json.WriteStartObject();
        json.WriteString("type", problem.Type);
        json.WriteString("title", problem.Title);
        json.WriteNumber("status", problem.Status);
        json.WriteString("detail", detail);
        json.WriteString("instance", context.Request.Path.ToUriComponent());
        json.WriteString("traceId", Activity.Current?.TraceId.ToHexString() ?? context.TraceIdentifier);
        WriteFence(json, context, request);
        json.WriteEndObject();
    }

    private static void WriteFence(Utf8JsonWriter json, HttpContext context, GatewayRequest? request)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<RouteModel>() is { } route)
        {
            json.WriteString("route", route.Config.RouteId);
        }

        if (request?.Fence is not { } fence)
        {
            return;
        }

        json.WriteString("resource", fence.Resource.Value);
        json.WriteNumber("presentedToken", request.Token.Value);
        if (request.Policy!.ExposeMark)
        {
            json.WriteNumber("mark", fence.Mark);
        }
    }
}
