using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Postgres;

namespace FenceGateway.TokenStore.Tests.Postgres;

public sealed class PostgresTokenStoreConformance(PostgresFixture server)
    : SharedTokenStoreConformance<PostgresTokenStore>, IClassFixture<PostgresFixture>
{
    private readonly string _prefix = $"t{Guid.NewGuid():N}"[..32];

    protected override PostgresTokenStore CreateStore() => server.CreateStore(_prefix);
}
