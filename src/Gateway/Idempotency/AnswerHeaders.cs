using System.Collections.Frozen;
using FenceGateway.Idempotency;
using Microsoft.Net.Http.Headers;

namespace FenceGateway.Gateway.Idempotency;

/// <summary>Which headers of an answer are kept, and how they are given again.</summary>
internal static class AnswerHeaders
{
    public const string Replayed = "Idempotency-Replayed";

    /// <summary>
    /// Those of one connection; the length, which follows from the body; and cookies: they are credentials, which are
    /// not put on a disk and not given to whoever comes with the key later.
    /// </summary>
    private static readonly FrozenSet<string> NotKept = FrozenSet.ToFrozenSet(
        [
            HeaderNames.Connection, HeaderNames.KeepAlive, HeaderNames.ProxyConnection, HeaderNames.TE,
            HeaderNames.Trailer,
            HeaderNames.TransferEncoding, HeaderNames.Upgrade, HeaderNames.ProxyAuthenticate,
            HeaderNames.ProxyAuthorization,
            HeaderNames.ContentLength, HeaderNames.SetCookie, "Set-Cookie2", Replayed,
        ],
        StringComparer.OrdinalIgnoreCase);

    /// <summary>What is kept of a response's headers.</summary>
    /// <param name="headers">All of them.</param>
    /// <param name="own">The gateway's own, which were there before the service answered.</param>
    public static KeyValuePair<string, string>[] Keep(IHeaderDictionary headers, ICollection<string> own) =>
    [
        .. from header in headers
           where !NotKept.Contains(header.Key) && !own.Contains(header.Key, StringComparer.OrdinalIgnoreCase)
           from value in header.Value
           select KeyValuePair.Create(header.Key, value ?? ""),
    ];

    /// <summary>Gives a stored answer. The response has nothing but the gateway's own headers.</summary>
    public static async Task ReplayAsync(HttpResponse response, StoredAnswer answer)
    {
        response.StatusCode = answer.Status;
        foreach (var (name, value) in answer.Headers)
        {
            response.Headers.Append(name, value);
        }

        response.Headers[Replayed] = "true";
        if (answer.Status is StatusCodes.Status204NoContent
            or StatusCodes.Status205ResetContent
            or StatusCodes.Status304NotModified)
        {
            return;
        }

        response.ContentLength = answer.Body.Length;
        await response.Body.WriteAsync(answer.Body);
    }
}
