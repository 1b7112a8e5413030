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
