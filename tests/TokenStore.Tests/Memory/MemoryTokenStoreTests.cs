using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Memory;
using FenceGateway.TokenStore.Tests.Embedded;
using Microsoft.Extensions.Logging;

namespace FenceGateway.TokenStore.Tests.Memory;

public sealed class MemoryTokenStoreTests
{
    [Fact]
    public async Task OpenAsync_Always_WarnsThatItForgets()
    {
        var logger = new TestLogger<MemoryTokenStore>();
        await using var store = new MemoryTokenStore(new ManualTimeProvider(), logger);
        await store.OpenAsync(default);
        logger.Entries.ShouldContain(e => e.Level == LogLevel.Warning && e.Text.Contains("forgotten"));
        store.Info.Grade.ShouldBe(SafetyGrade.Volatile);
    }

    [Fact]
    public async Task EnterAsync_MoreResourcesThanMayBe_RefusesNewOnesOnly()
    {
        await using var store = new MemoryTokenStore(
            new ManualTimeProvider(), new TestLogger<MemoryTokenStore>(), maxResources: 1);
        await store.OpenAsync(default);
        await store.StartSessionAsync("s", default, default);
        await store.Enter("a", 1);
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => store.Enter("b", 1));
        await store.Enter("a", 2);
    }

    [Fact]
    public async Task HeartbeatAsync_StoreThatSharesItsMarksWithNobody_NeverEnds()
    {
        var clock = new ManualTimeProvider();
        await using var store = new MemoryTokenStore(clock, new TestLogger<MemoryTokenStore>());
        await store.OpenAsync(default);
        (await store.StartSessionAsync("s", TimeSpan.FromSeconds(5), default)).ShouldBe(Timeout.InfiniteTimeSpan);
        clock.Advance(TimeSpan.FromDays(400));
        (await store.HeartbeatAsync("s", default)).Alive.ShouldBeTrue();
        (await store.Status("a", 1)).ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task HeartbeatAsync_SharedMarks_SessionsEndByTheirClock()
    {
        var clock = new ManualTimeProvider();
        var marks = new MemoryMarks(clock);
        await using var a = await OpenAsync(marks, "a", TimeSpan.FromSeconds(5));
        await using var b = await OpenAsync(marks, "b", TimeSpan.FromSeconds(60));
        await a.EnterAsync(Request("a", 5), default);
        clock.Advance(TimeSpan.FromSeconds(4.9));
        (await a.HeartbeatAsync("a", default)).Alive.ShouldBeTrue();
        clock.Advance(TimeSpan.FromSeconds(4.9));
        (await b.EnterAsync(Request("b", 6), default)).HeldElsewhere.ShouldBeTrue();
        clock.Advance(TimeSpan.FromSeconds(0.1));
        (await a.HeartbeatAsync("a", default)).Alive.ShouldBeFalse();
        (await b.EnterAsync(Request("b", 6), default)).RetryAfter.ShouldBe(TestFolder.Hold);
        clock.Advance(TestFolder.Hold - TimeSpan.FromMilliseconds(1));
        (await b.EnterAsync(Request("b", 6), default)).RetryAfter.ShouldBe(TimeSpan.FromMilliseconds(1));
        clock.Advance(TimeSpan.FromMilliseconds(1));
        (await b.EnterAsync(Request("b", 6), default)).Status.ShouldBe(EnterStatus.Admitted);
    }

    [Fact]
    public async Task StartSessionAsync_SessionsThatEndedLongAgo_AreForgottenAndHoldNothing()
    {
        var clock = new ManualTimeProvider();
        var marks = new MemoryMarks(clock);
        await using var store = await OpenAsync(marks, "a", TimeSpan.FromSeconds(5));
        await store.EnterAsync(Request("a", 5), default);
        clock.Advance(TimeSpan.FromHours(26));
        await store.StartSessionAsync("b", TimeSpan.FromSeconds(5), default);
        (await store.FindAsync(StoreExtensions.Key("r"), default))!.Value.Writers.ShouldBeEmpty();
        (await store.EnterAsync(Request("b", 6) with { InDoubtHold = TimeSpan.FromHours(24) }, default))
            .Status.ShouldBe(EnterStatus.Admitted);
    }

    private static async Task<MemoryTokenStore> OpenAsync(MemoryMarks marks, string session, TimeSpan timeToLive)
    {
        var store = new MemoryTokenStore(marks, new TestLogger<MemoryTokenStore>());
        await store.OpenAsync(default);
        (await store.StartSessionAsync(session, timeToLive, default)).ShouldBe(timeToLive);
        return store;
    }

    private static EnterRequest Request(string session, long token) =>
        new(session, StoreExtensions.Key("r"), new FencingToken(token), new FencingToken(token), 1, TestFolder.Hold);
}
