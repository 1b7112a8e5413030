using System.Runtime.CompilerServices;
using FenceGateway.Fencing;
using FenceGateway.Gateway.Problems;
using FenceGateway.Gateway.Requests;
using FenceGateway.TokenStore;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// The early checks of a fenced request, in memory: can it be fenced at all, which resource does it name, which token
/// does it carry, is that token known to be stale. Null lets it go on; <see cref="GatewayRequest.NeedsAdmission"/> is
/// set if it has to be admitted.
/// </summary>
internal sealed class FenceCheck(FenceTable table)
{
    /// <summary>Headers by which frameworks let a request say that its method is another one.</summary>
    public static readonly string[] MethodOverrides = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"];

    public FenceRefusal? Check(HttpContext context, FencingPolicy policy, GatewayRequest request)
    {
        if (Read(context, policy, out var status, out var token) is { } unreadable)
        {
            return unreadable;
        }

        var headers = context.Request.Headers;
        var isWrite = !RequestSemantics.IsSafe(context.Request.Method);
        if (!isWrite && (status == TokenHeaderStatus.None || policy.Reads == FencedReads.Ignore))
        {
            if (status == TokenHeaderStatus.None && policy.Mode == FencingMode.Enforce)
            {
                TokenHeaders.Strip(headers, policy);
            }

            request.Outcome = FenceOutcome.Read;
            return null;
        }

        if (status == TokenHeaderStatus.None)
        {
            return CheckMissing(headers, policy, request);
        }

        return CheckResource(context, policy, request, token, isWrite);
    }

    /// <summary>
    /// The same for a repeat that is not forwarded, whatever its method is: without a token it may pass, with a stale
    /// one too.
    /// </summary>
    public FenceRefusal? CheckReplay(HttpContext context, FencingPolicy policy, GatewayRequest request)
    {
        if (Read(context, policy, out var status, out var token) is { } unreadable)
        {
            return unreadable;
        }

        return status == TokenHeaderStatus.One
            && CheckResource(
                context, policy, request, token, isWrite: false) is { Outcome: not FenceOutcome.Stale } refusal
            ? refusal
            : null;
    }

    /// <summary>
    /// What goes before the method and the resource: is there one reading of the request, and of its token?
    /// </summary>
    private static FenceRefusal? Read(
        HttpContext context, FencingPolicy policy, out TokenHeaderStatus status, out FencingToken token)
    {
        (status, token) = (TokenHeaderStatus.None, default);
        if (IsTunnel(context.Request))
        {
            return new(FenceOutcome.UpgradeRefused, ProblemType.UpgradeNotFenced,
                "What follows a WebSocket handshake or CONNECT cannot be fenced; send plain requests on this route.");
        }

        DeclineUpgrade(context.Request.Headers);

        var headers = context.Request.Headers;
        var isSuspicious = HeaderLookalikes.Any(headers, policy.TokenHeaders, MethodOverrides, policy.GuardedLengths);
        if (FindAmbiguity(context, isSuspicious) is { } ambiguity)
        {
            return Ambiguous(ambiguity);
        }

        status = TokenHeaders.Read(headers, policy, isSuspicious, out token, out var malformed);
        return status == TokenHeaderStatus.Malformed
            ? new(FenceOutcome.TokenMalformed, ProblemType.FencingTokenMalformed, malformed!)
            : null;
    }

    [SkipLocalsInit]
    private FenceRefusal? CheckResource(
        HttpContext context, FencingPolicy policy, GatewayRequest request, FencingToken token, bool isWrite)
    {
        Span<char> key = stackalloc char[ResourceKey.MaxBytes];
        var values = new RequestResourceValues(context.Request, context.Request.RouteValues);
        var rendered = policy.Resource.Render(ref values, key, out var length, out var culprit);
        if (rendered != RenderStatus.Rendered)
        {
            return Ambiguous(Unrendered(rendered, culprit));
        }

        key = key[..length];
        if (WebDavDestination.FindMismatch(context, policy, key) is { } mismatch)
        {
            return new(FenceOutcome.CrossResource, ProblemType.CrossResource, mismatch);
        }

        ResourceFence fence;
        try
        {
            fence = table.Get(key);
        }
        catch (TokenStoreUnavailableException e)
        {
            return StoreUnavailable(e.Message);
        }

        request.Present(policy, fence, token, isWrite);
        return token.Value < fence.Mark ? Stale(token, fence) : null;
    }

    public static FenceRefusal Stale(FencingToken token, ResourceFence fence) => new(
        FenceOutcome.Stale, ProblemType.FencingTokenStale,
        $"Token {token} is older than one already seen for {fence.Resource}: the lock has a new holder. "
        + "This attempt was not forwarded; take the lock again.");

    /// <summary>
    /// Spread over some seconds: those who are turned away by one fault must not all come back at once.
    /// </summary>
    /// <param name="fault">For operators only: it may say more than a client is to know.</param>
    public static FenceRefusal StoreUnavailable(string fault) => new(
        FenceOutcome.StoreUnavailable, ProblemType.TokenStoreUnavailable,
        "The gateway cannot tell now whether this token is current. This attempt was not forwarded; try again.",
        TimeSpan.FromSeconds(Random.Shared.Next(1, 4)), fault);

    public static FenceRefusal Ambiguous(string what) => new(
        FenceOutcome.AmbiguousTarget, ProblemType.AmbiguousTarget, $"The request cannot be fenced: {what}.");

    private static FenceRefusal? CheckMissing(IHeaderDictionary headers, FencingPolicy policy, GatewayRequest request)
    {
        if (policy.MissingToken == MissingTokenAction.Reject)
        {
            var hint = TokenHeaders.LookalikeOf(headers, policy) is { } lookalike
                ? $" (the request has {lookalike})"
                : "";
            return new(FenceOutcome.TokenMissing, ProblemType.FencingTokenRequired,
                $"Send the token of your lock in the header {policy.Header}{hint}.");
        }

        if (policy.Mode == FencingMode.Enforce)
        {
            TokenHeaders.Strip(headers, policy);
        }

        request.Outcome = FenceOutcome.Unfenced;
        return null;
    }

    private static string? FindAmbiguity(HttpContext context, bool isSuspicious)
    {
        var request = context.Request;
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        if (TargetGuard.FindAmbiguity(target) is { } ambiguity)
        {
            return $"its target can be read in more than one way, {ambiguity}";
        }

        return isSuspicious && FindMethodOverride(request.Headers) is { } header
            ? $"{header} gives it a second method; send that method itself"
            : FindInFraming(request.Headers);
    }

    private static string? FindMethodOverride(IHeaderDictionary headers) =>
        Array.Find(MethodOverrides, headers.ContainsKey) ?? HeaderLookalikes.Find(headers, MethodOverrides);

    private static string? FindInFraming(IHeaderDictionary headers)
    {
        var coding = headers.TransferEncoding;
        if (coding.Count == 0)
        {
            return null;
        }

        // Kestrel lets Transfer-Encoding win and keeps the other length under this name: two lengths, two readings.
        if (headers.ContainsKey("X-Content-Length"))
        {
            return "it has Content-Length and Transfer-Encoding";
        }

        // Kestrel decodes the last coding only, and what is sent on says nothing of the others.
        return coding.Count == 1 && "chunked".Equals(coding[0], StringComparison.OrdinalIgnoreCase)
            ? null
            : "its Transfer-Encoding is not just chunked";
    }

    private static bool IsTunnel(HttpRequest request) =>
        HttpMethods.IsConnect(request.Method)
        || (request.Headers.Upgrade.Count > 0 && Array.Exists(
            request.Headers.GetCommaSeparatedValues(HeaderNames.Upgrade),
            static protocol => protocol.StartsWith("websocket", StringComparison.OrdinalIgnoreCase)));

    /// <summary>
    /// Any other upgrade is an offer (h2c, TLS) of a client that goes on without it: a server may ignore it (RFC 9110,
    /// 7.8).
    /// </summary>
    private static void DeclineUpgrade(IHeaderDictionary headers)
    {
        if (headers.Upgrade.Count > 0)
        {
            headers.Remove(HeaderNames.Upgrade);
            headers.Remove("HTTP2-Settings");
        }
    }

    private static string Unrendered(RenderStatus status, ResourceTemplatePart culprit) => status switch
    {
        RenderStatus.Missing => $"it lacks {culprit}, which names the resource",
        RenderStatus.Ambiguous => $"{culprit}, which names the resource, has more than one value or can be read in "
            + "more than one way",
        _ => $"its resource key would be longer than {ResourceKey.MaxBytes} bytes",
    };
}
