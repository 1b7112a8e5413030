using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.Net.Http.Headers;

namespace FenceGateway.Gateway.Cors;

internal static class CorsExtensions
{
    private static readonly string[] Answered =
    [
        HeaderNames.AccessControlAllowOrigin, HeaderNames.AccessControlAllowCredentials,
        HeaderNames.AccessControlAllowMethods, HeaderNames.AccessControlAllowHeaders,
        HeaderNames.AccessControlExposeHeaders, HeaderNames.AccessControlMaxAge,
    ];

    /// <summary>
    /// Answers preflights and writes the headers of CORS on routes with a policy, whoever gives the answer. The policy
    /// has the only word: what the service says of CORS would else be mixed with it.
    /// </summary>
    public static void UseCorsPolicies(this IApplicationBuilder app) =>
        app.UseWhen(
            static context => context.GetEndpoint()?.Metadata.GetMetadata<ICorsPolicyMetadata>() is not null,
            static cors => cors.UseCors().Use(static (context, next) =>
            {
                // What is registered last is called first, before ASP.NET's writes its own.
                context.Response.OnStarting(
                    static state =>
                    {
                        Array.ForEach(Answered, name => ((HttpResponse)state).Headers.Remove(name));
                        return Task.CompletedTask;
                    },
                    context.Response);
                return next(context);
            }));
}
