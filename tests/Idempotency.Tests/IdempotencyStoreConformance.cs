using FenceGateway.TestKit;

namespace FenceGateway.Idempotency.Tests;

/// <summary>What every idempotency store has to do.</summary>
public abstract class IdempotencyStoreConformance<TStore> : IAsyncLifetime
    where TStore : class, IIdempotencyStore
{
    private const int MaxEntries = 4;
    private const int MaxBytes = 1 << 20;
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private TStore? _store;

    internal ManualTimeProvider Clock { get; } = new();

    private TStore Store => _store!;

    public async ValueTask InitializeAsync()
    {
        _store = CreateStore(MaxEntries, MaxBytes);
        await _store.OpenAsync(default);
    }

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        CleanUp();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Claim_NewKey_IsGrantedOnce()
    {
        await Store.Claim("a");

        (await Store.Ask("a")).Status.ShouldBe(ClaimStatus.Running);
        (await Store.Ask("b")).Status.ShouldBe(ClaimStatus.Claimed);
        Store.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Claim_ManyAtOnce_ExactlyOneIsGranted()
    {
        var replies = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(() => Store.Ask("a"))));

        replies.Count(r => r.Status == ClaimStatus.Claimed).ShouldBe(1);
        replies.Count(r => r.Status == ClaimStatus.Running).ShouldBe(63);
    }

    [Fact]
    public async Task Claim_OtherFingerprint_IsReusedWhateverTheState()
    {
        var claim = await Store.Claim("a");
        (await Store.Ask("a", "other")).Status.ShouldBe(ClaimStatus.Reused);
        await Store.StartAsync(claim, default);
        (await Store.Ask("a", "other")).Status.ShouldBe(ClaimStatus.Reused);
        await Store.Complete(claim);
        (await Store.Ask("a", "other")).Status.ShouldBe(ClaimStatus.Reused);
        await Store.Abandon(await Store.Start("b"));
        (await Store.Ask("b", "other", resend: true)).Status.ShouldBe(ClaimStatus.Reused);
    }

    [Fact]
    public async Task Complete_Repeat_GetsTheSameAnswer()
    {
        await Store.Complete("a", "the answer");

        var reply = await Store.Ask("a");

        reply.Status.ShouldBe(ClaimStatus.Completed);
        reply.Answer!.Status.ShouldBe(201);
        reply.Answer.Headers.ShouldBe(Keys.Answer().Headers);
        reply.Text().ShouldBe("the answer");
        Store.Bytes.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task Complete_NoHeadersAndNoBody_IsKept()
    {
        await Store.CompleteAsync(await Store.Start("a"), new StoredAnswer(204, [], default), default);

        var reply = await Store.Ask("a");

        (reply.Answer!.Status, reply.Answer.Headers.Count, reply.Answer.Body.Length).ShouldBe((204, 0, 0));
    }

    [Fact]
    public async Task Complete_TimeToLive_RunsFromTheAnswer()
    {
        var claim = await Store.Start("a");
        Clock.Advance(Keys.Ttl + Second);
        (await Store.Ask("a")).Status.ShouldBe(ClaimStatus.Running);
        await Store.Complete(claim);

        Clock.Advance(Keys.Ttl - Second);
        (await Store.Ask("a")).Status.ShouldBe(ClaimStatus.Completed);
        Clock.Advance(Second);
        (await Store.Ask("a")).Status.ShouldBe(ClaimStatus.Claimed);
    }

    [Fact]
    public async Task Release_BeforeStart_KeyIsFree()
    {
        await Store.Release(await Store.Claim("a"));

        Store.Count.ShouldBe(0);
        (await Store.Ask("a", "other")).Status.ShouldBe(ClaimStatus.Claimed);
    }

    [Fact]
    public async Task Release_AfterStart_KeyIsFree()
    {
        await Store.Release(await Store.Start("a"));

        (await Store.Ask("a", "other")).Status.ShouldBe(ClaimStatus.Claimed);
    }

    [Theory]
    [InlineData(UnknownReason.Interrupted)]
    [InlineData(UnknownReason.TooLong)]
    public async Task Abandon_Repeat_IsUnknownWithTheReasonUntilItExpires(UnknownReason reason)
    {
        await Store.Abandon(await Store.Start("a"), reason);

        var reply = await Store.Ask("a");
        (reply.Status, reply.Reason).ShouldBe((ClaimStatus.Unknown, reason));
        Clock.Advance(Keys.Ttl);
        (await Store.Ask("a")).Status.ShouldBe(ClaimStatus.Claimed);
    }

    [Fact]
    public async Task Claim_UnknownAndMayBeSentAgain_IsGrantedToOne()
    {
        await Store.Abandon(await Store.Start("a"));

        var claim = await Store.Claim("a", resend: true);
        (await Store.Ask("a", resend: true)).Status.ShouldBe(ClaimStatus.Running);
        await Store.StartAsync(claim, default);
        await Store.Complete(claim, "second");

        (await Store.Ask("a")).Text().ShouldBe("second");
    }

    [Fact]
    public async Task Release_WasUnknownBefore_IsUnknownAgain()
    {
        await Store.Abandon(await Store.Start("a"), UnknownReason.TooLong);

        await Store.Release(await Store.Start("a", resend: true));

        var reply = await Store.Ask("a");
        (reply.Status, reply.Reason).ShouldBe((ClaimStatus.Unknown, UnknownReason.TooLong));
        Clock.Advance(Keys.Ttl);
        (await Store.Ask("a")).Status.ShouldBe(ClaimStatus.Claimed);
    }

    [Fact]
    public async Task Claim_AtMaxEntries_RefusesNewKeysAndServesKnownOnes()
    {
        await Store.Complete("first", ttl: TimeSpan.FromMinutes(5));
        for (var i = 1; i < MaxEntries; i++)
        {
            await Store.Complete($"{i}");
        }

        var reply = await Store.Ask("new");

        reply.Status.ShouldBe(ClaimStatus.Refused);
        reply.Detail.ShouldNotBeNull().ShouldContain($"{MaxEntries}");
        reply.RetryAfter.ShouldBe(TimeSpan.FromMinutes(5));
        (await Store.Ask("1")).Status.ShouldBe(ClaimStatus.Completed);
        Clock.Advance(TimeSpan.FromMinutes(5));
        (await Store.Ask("new")).Status.ShouldBe(ClaimStatus.Claimed);
        (await Store.Ask("newer")).Status.ShouldBe(ClaimStatus.Refused);
    }

    [Fact]
    public async Task Claim_AtMaxBytes_RefusesNewKeysUntilAnswersExpire()
    {
        await Store.Complete("large", new string('x', MaxBytes));

        var reply = await Store.Ask("new");
        reply.Status.ShouldBe(ClaimStatus.Refused);
        reply.Detail.ShouldNotBeNull().ShouldContain($"{MaxBytes}");
        (await Store.Ask("large")).Status.ShouldBe(ClaimStatus.Completed);
        Clock.Advance(Keys.Ttl);
        await Store.Ask("asks for room");
        await Keys.UntilAsync(() => Store.Bytes < MaxBytes, "room for new keys");
        (await Store.Ask("new")).Status.ShouldBe(ClaimStatus.Claimed);
    }

    [Fact]
    public async Task Claim_Expired_OnesAreDroppedBeforeANewOneIsRefused()
    {
        for (var round = 0; round < 3; round++)
        {
            for (var i = 0; i < MaxEntries; i++)
            {
                await Store.Complete($"{round}-{i}");
            }

            Clock.Advance(Keys.Ttl);
        }

        Store.Count.ShouldBe(MaxEntries);
    }

    [Fact]
    public async Task Claim_RunsBeyondItsExpiryAfterItWasUnknown_IsDroppedInTheEnd()
    {
        await Store.Abandon(await Store.Start("a"));
        var claim = await Store.Start("a", resend: true);
        Clock.Advance(Keys.Ttl);
        await Store.Claim("b");
        await Store.Release(claim);

        Clock.Advance(TimeSpan.FromMinutes(1));
        await Store.Claim("c");

        Store.Count.ShouldBe(2, "b and c");
    }

    [Fact]
    public async Task Close_Afterwards_NothingNewIsTaken()
    {
        await Store.DisposeAsync();

        var reply = await Store.Ask("a");

        reply.Status.ShouldBe(ClaimStatus.Refused);
        reply.Detail.ShouldNotBeNull().ShouldContain("closed");
    }

    protected abstract TStore CreateStore(int maxEntries, long maxBytes);

    protected virtual void CleanUp()
    {
    }
}
