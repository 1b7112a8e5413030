using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Memory;

namespace FenceGateway.TokenStore.Tests.Memory;

public sealed class MemoryTokenStoreConformance : TokenStoreConformance<MemoryTokenStore>
{
    protected override MemoryTokenStore CreateStore() => new(new ManualTimeProvider(), new TestLogger<MemoryTokenStore>());
}
