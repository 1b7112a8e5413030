using System.Text;
using FenceGateway.Gateway.Fencing;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Transforms;

namespace FenceGateway.Gateway.Forwarding;

/// <summary>
/// WebDAV names further targets in headers: where MOVE and COPY write to in <c>Destination</c>, what a condition is
/// about in <c>If</c> (RFC 4918, sections 10.3 and 10.4). What the route makes of the request's own path holds for them
/// too: else the service would write elsewhere than the fence has judged. They go on as absolute paths, since the
/// service has another host than the gateway. A target that is not on this route goes on as it came; a fenced one has
/// been refused by then.
/// </summary>
/// <param name="paths">What the route makes of a path, in order.</param>
internal sealed class WebDavTargetTransform(RequestTransform[] paths) : RequestTransform
{
    private const string If = "If";

    public static IReverseProxyBuilder AddTo(IReverseProxyBuilder builder) => builder.AddTransforms(static context =>
        context.RequestTransforms.Add(new WebDavTargetTransform(
            [.. context.RequestTransforms.Where(static t => t is PathStringTransform or PathRouteValuesTransform)])));

    public override ValueTask ApplyAsync(RequestTransformContext context)
    {
        var request = context.HttpContext.Request;
        return WebDavDestination.IsMoveOrCopy(request.Method) || request.Headers.ContainsKey(If)
            ? RewriteAsync(context)
            : ValueTask.CompletedTask;
    }

    private async ValueTask RewriteAsync(RequestTransformContext context)
    {
        var headers = context.ProxyRequest.Headers;
        if (WebDavDestination.IsMoveOrCopy(context.HttpContext.Request.Method)
            && headers.NonValidated.TryGetValues(WebDavDestination.Header, out var destinations)
            && destinations.Count == 1)
        {
            var mapped = await MapAsync(context, destinations.ToString());
            headers.Remove(WebDavDestination.Header);
            headers.TryAddWithoutValidation(WebDavDestination.Header, mapped);
        }

        if (headers.NonValidated.TryGetValues(If, out var conditions) && conditions.Count == 1)
        {
            var mapped = await MapTagsAsync(context, conditions.ToString());
            headers.Remove(If);
            headers.TryAddWithoutValidation(If, mapped);
        }
    }

    /// <summary>The targets of a condition stand outside of its lists: <c>&lt;/a/1&gt; (&lt;urn:uuid:…&gt; ["etag"])
    /// (…)</c>.</summary>
    private async ValueTask<string> MapTagsAsync(RequestTransformContext context, string condition)
    {
        var mapped = new StringBuilder(condition.Length);
        var (copied, isInList) = (0, false);
        for (var i = 0; i < condition.Length; i++)
        {
            isInList = condition[i] switch { '(' => true, ')' => false, _ => isInList };
            if (condition[i] is not ('<' or '"'))
            {
                continue;
            }

            var end = condition.IndexOf(condition[i] == '<' ? '>' : '"', i + 1);
            if (end < 0)
            {
                // It is malformed, which the service may say.
                return condition;
            }

            if (condition[i] == '<' && !isInList)
            {
                mapped.Append(condition, copied, i + 1 - copied);
                mapped.Append(await MapAsync(context, condition[(i + 1)..end]));
                copied = end;
            }

            i = end;
        }

        return mapped.Append(condition, copied, condition.Length - copied).ToString();
    }

    /// <summary>What a target is called at the service; the same where it is not on this route.</summary>
    private async ValueTask<string> MapAsync(RequestTransformContext context, string target)
    {
        var request = context.HttpContext.Request;
        if (!WebDavDestination.IsOnHost(target, request.Host) || TargetGuard.FindAmbiguity(target) is not null
            || !WebDavDestination.TryMatch(context.HttpContext, target, out var path, out var values))
        {
            return target;
        }

        var own = request.RouteValues;
        var second = new RequestTransformContext
        {
            HttpContext = context.HttpContext,
            ProxyRequest = context.ProxyRequest,
            DestinationPrefix = context.DestinationPrefix,
            Path = path,
        };
        request.RouteValues = values;
        foreach (var transform in paths)
        {
            await transform.ApplyAsync(second);
        }

        request.RouteValues = own;
        var query = target.IndexOf('?') is >= 0 and var at ? new QueryString(target[at..]) : QueryString.Empty;
        var address = RequestUtilities.MakeDestinationAddress(context.DestinationPrefix, second.Path, query);
        var mapped = address.PathAndQuery;
        return IsUnchanged(target, context.ProxyRequest.Headers.Host, mapped) ? target : mapped;
    }

    private static bool IsUnchanged(string target, string? host, string mapped) =>
        host is not null && target.EndsWith($"://{host}{mapped}", StringComparison.OrdinalIgnoreCase);
}
