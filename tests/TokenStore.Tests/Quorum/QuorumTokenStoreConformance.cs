using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Quorum;

namespace FenceGateway.TokenStore.Tests.Quorum;

public sealed class QuorumTokenStoreConformance(QuorumFixture servers)
    : SharedTokenStoreConformance<QuorumTokenStore>, IClassFixture<QuorumFixture>
{
    private readonly string _prefix = $"t{Guid.NewGuid():N}"[..32];

    protected override QuorumTokenStore CreateStore() => servers.Make(_prefix);
}
