using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Memory;

namespace FenceGateway.TokenStore.Tests.Memory;

public sealed class MemoryTokenStoreConformance : SharedTokenStoreConformance<MemoryTokenStore>
{
    private readonly MemoryMarks _marks = new(TimeProvider.System);

    protected override int RandomSteps => 4_000;

    protected override MemoryTokenStore CreateStore() => new(_marks, new TestLogger<MemoryTokenStore>());
}
