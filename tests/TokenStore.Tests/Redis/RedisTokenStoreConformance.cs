using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Redis;

namespace FenceGateway.TokenStore.Tests.Redis;

public sealed class RedisTokenStoreConformance(RedisFixture redis)
    : SharedTokenStoreConformance<RedisTokenStore>, IClassFixture<RedisFixture>
{
    private readonly string _prefix = RedisFixture.NextPrefix();

    protected override RedisTokenStore CreateStore() => redis.Make(_prefix);
}

[Collection(OneAtATime.Garnets)]
public sealed class RedisOnGarnetConformance(GarnetFixture garnet)
    : SharedTokenStoreConformance<RedisTokenStore>, IClassFixture<GarnetFixture>
{
    private readonly string _prefix = RedisFixture.NextPrefix();

    protected override RedisTokenStore CreateStore() => garnet.Make(_prefix);
}
