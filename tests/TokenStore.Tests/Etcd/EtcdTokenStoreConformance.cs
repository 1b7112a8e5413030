using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Etcd;

namespace FenceGateway.TokenStore.Tests.Etcd;

public sealed class EtcdTokenStoreConformance(EtcdFixture etcd)
    : SharedTokenStoreConformance<EtcdTokenStore>, IClassFixture<EtcdFixture>
{
    private readonly string _prefix = EtcdFixture.NewPrefix();

    protected override EtcdTokenStore CreateStore() => new(
        new EtcdTokenStoreOptions { Endpoints = [etcd.Server.Address], KeyPrefix = _prefix },
        TimeProvider.System,
        new TestLogger<EtcdTokenStore>());
}

/// <summary>Stores that begin with different members of a cluster.</summary>
[Collection(OneAtATime.Ensembles)]
public sealed class EtcdClusterConformance(EtcdClusterFixture etcd)
    : SharedTokenStoreConformance<EtcdTokenStore>, IClassFixture<EtcdClusterFixture>
{
    private readonly string _prefix = EtcdFixture.NewPrefix();
    private int _stores;

    protected override EtcdTokenStore CreateStore()
    {
        var first = _stores++ % etcd.Addresses.Count;
        return new(
            new EtcdTokenStoreOptions
            { Endpoints = [.. etcd.Addresses.Skip(first), .. etcd.Addresses.Take(first)], KeyPrefix = _prefix },
            TimeProvider.System,
            new TestLogger<EtcdTokenStore>());
    }
}
