using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Embedded;

namespace FenceGateway.TokenStore.Tests.Embedded;

public sealed class EmbeddedTokenStoreConformance : TokenStoreConformance<EmbeddedTokenStore>
{
    private readonly TestFolder _folder = new();

    protected override int RandomSteps => 4_000;

    [Fact]
    public async Task EnterAsync_TokenThatIsNotNewer_IsAnsweredSynchronously()
    {
        await Gateway.EnterAsync("a", 5);
        Store.EnterAsync(Gateway.Request("a", 5), default).AsTask().IsCompletedSuccessfully.ShouldBeTrue();
        Store.EnterAsync(Gateway.Request("a", 4), default).AsTask().IsCompletedSuccessfully.ShouldBeTrue();
    }

    [Fact]
    public async Task PeekMark_KnownResource_IsTheDurableMark()
    {
        await Gateway.EnterAsync("a", 5);
        await Gateway.EnterAsync("a", 7, oldest: 5);
        Store.PeekMark(ConformanceGateway.Key("a")).ShouldBe(7);
        await Gateway.SetMarkAsync("a", 3);
        Store.PeekMark(ConformanceGateway.Key("a")).ShouldBe(3);
    }

    protected override EmbeddedTokenStore CreateStore() => _folder.Make();

    protected override ValueTask CleanUpAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }
}
