using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.MySql;

namespace FenceGateway.TokenStore.Tests.MySql;

public sealed class MySqlTokenStoreConformance(MariaDbFixture server)
    : SharedTokenStoreConformance<MySqlTokenStore>, IClassFixture<MariaDbFixture>
{
    private readonly string _prefix = $"t{Guid.NewGuid():N}"[..32];

    protected override MySqlTokenStore CreateStore() => server.CreateStore(_prefix);
}
