using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.ZooKeeper;

namespace FenceGateway.TokenStore.Tests.ZooKeeper;

public sealed class ZooKeeperTokenStoreConformance(ZooKeeperFixture server)
    : SharedTokenStoreConformance<ZooKeeperTokenStore>, IClassFixture<ZooKeeperFixture>
{
    private readonly string _root = ZooKeeperFixture.NewRoot();

    protected override ZooKeeperTokenStore CreateStore() => server.CreateStore(_root);
}

/// <summary>Stores that are connected to different servers of an ensemble.</summary>
[Collection(OneAtATime.Ensembles)]
public sealed class ZooKeeperEnsembleConformance(ZooKeeperEnsembleFixture ensemble)
    : SharedTokenStoreConformance<ZooKeeperTokenStore>, IClassFixture<ZooKeeperEnsembleFixture>
{
    private readonly string _root = ZooKeeperFixture.NewRoot();

    protected override ZooKeeperTokenStore CreateStore() =>
        ZooKeeperFixture.CreateStore(ensemble.ConnectionString, _root);
}
