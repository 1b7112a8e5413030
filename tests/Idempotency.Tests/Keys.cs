using System.Text;
using FenceGateway.TestKit;

namespace FenceGateway.Idempotency.Tests;

/// <summary>Short forms of what a store is asked.</summary>
internal static class Keys
{
    public static readonly TimeSpan Ttl = TimeSpan.FromHours(24);

    public static ClaimRequest Request(string key, string body = "body", TimeSpan? ttl = null, bool resend = false) =>
        new(KeyHash.Of("route", "tenant", key), RequestFingerprint.Of(["POST", "/"], Encoding.UTF8.GetBytes(body)), ttl ?? Ttl, resend);

    public static StoredAnswer Answer(string body = "done", int status = 201) => new(
        status,
        [KeyValuePair.Create("Content-Type", "text/plain"), KeyValuePair.Create("X-Two", "a"), KeyValuePair.Create("X-Two", "b ü")],
        Encoding.UTF8.GetBytes(body));

    public static async Task<ClaimReply> Ask(
        this IIdempotencyStore store, string key, string body = "body", TimeSpan? ttl = null, bool resend = false) =>
        await store.ClaimAsync(Request(key, body, ttl, resend), CancellationToken.None);

    /// <summary>Claims a key that must be free.</summary>
    public static async Task<IdempotencyClaim> Claim(
        this IIdempotencyStore store, string key, TimeSpan? ttl = null, bool resend = false)
    {
        var reply = await store.Ask(key, ttl: ttl, resend: resend);
        reply.Status.ShouldBe(ClaimStatus.Claimed);
        return reply.Claim.ShouldNotBeNull();
    }

    public static async Task<IdempotencyClaim> Start(
        this IIdempotencyStore store, string key, TimeSpan? ttl = null, bool resend = false)
    {
        var claim = await store.Claim(key, ttl, resend);
        await store.StartAsync(claim, CancellationToken.None);
        return claim;
    }

    public static ValueTask Complete(this IIdempotencyStore store, IdempotencyClaim claim, string body = "done") =>
        store.CompleteAsync(claim, Answer(body), CancellationToken.None);

    public static async Task Complete(
        this IIdempotencyStore store, string key, string body = "done", TimeSpan? ttl = null) =>
        await store.Complete(await store.Start(key, ttl), body);

    public static ValueTask Abandon(
        this IIdempotencyStore store, IdempotencyClaim claim, UnknownReason reason = UnknownReason.Interrupted) =>
        store.AbandonAsync(claim, reason, CancellationToken.None);

    public static ValueTask Release(this IIdempotencyStore store, IdempotencyClaim claim) =>
        store.ReleaseAsync(claim, CancellationToken.None);

    /// <summary>Completes when the store's own thread has brought something about.</summary>
    public static Task UntilAsync(Func<bool> condition, string what) => Task.Run(async () =>
    {
        while (!condition())
        {
            await Task.Yield();
        }
    }).WithinLimit(what);

    public static string Text(this ClaimReply reply) =>
        Encoding.UTF8.GetString(reply.Answer.ShouldNotBeNull().Body.Span);
}
