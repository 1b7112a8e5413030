using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.ZooKeeper;

namespace FenceGateway.TokenStore.Tests.ZooKeeper;

public sealed class ZooKeeperTokenStoreConformance(ZooKeeperFixture server)
    : SharedTokenStoreConformance<ZooKeeperTokenStore>, IClassFixture<ZooKeeperFixture>
{
    private readonly string _root = ZooKeeperFixture.NewRoot();

    protected override ZooKeeperTokenStore CreateStore() => server.CreateStore(_root);
}
