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
        await using var store = new MemoryTokenStore(new ManualTimeProvider(), new TestLogger<MemoryTokenStore>(), maxResources: 1);
        await store.OpenAsync(default);
        await store.StartSessionAsync("s", default, default);
        await store.Enter("a", 1);
        await Should.ThrowAsync<TokenStoreUnavailableException>(() => store.Enter("b", 1));
        await store.Enter("a", 2);
    }
}
