using FenceGateway.Fleet.Tests.Stores;
using FenceGateway.Fleet.Tests.World;

namespace FenceGateway.Fleet.Tests;

public sealed class RedisFleet() : FleetFixture(() => new RedisUnderTest());

public sealed class RedisFleetTests(RedisFleet fleet, ITestOutputHelper output)
    : FleetTests(fleet, output), IClassFixture<RedisFleet>;

public sealed class QuorumFleet() : FleetFixture(() => new QuorumUnderTest());

public sealed class QuorumFleetTests(QuorumFleet fleet, ITestOutputHelper output)
    : FleetTests(fleet, output), IClassFixture<QuorumFleet>
{
    [Fact]
    public Task Fleet_OneMasterRestartedEmpty_NobodyNotices() => RunAsync(FleetFaults.EmptyServerAsync);
}

public sealed class PostgresFleet() : FleetFixture(() => new PostgresUnderTest());

public sealed class PostgresFleetTests(PostgresFleet fleet, ITestOutputHelper output)
    : FleetTests(fleet, output), IClassFixture<PostgresFleet>;

public sealed class EtcdFleet() : FleetFixture(() => new EtcdUnderTest());

public sealed class EtcdFleetTests(EtcdFleet fleet, ITestOutputHelper output)
    : FleetTests(fleet, output), IClassFixture<EtcdFleet>;

public sealed class MySqlFleet() : FleetFixture(() => new MySqlUnderTest());

public sealed class MySqlFleetTests(MySqlFleet fleet, ITestOutputHelper output)
    : FleetTests(fleet, output), IClassFixture<MySqlFleet>;

public sealed class ZooKeeperFleet() : FleetFixture(() => new ZooKeeperUnderTest());

public sealed class ZooKeeperFleetTests(ZooKeeperFleet fleet, ITestOutputHelper output)
    : FleetTests(fleet, output), IClassFixture<ZooKeeperFleet>
{
    [Fact]
    public Task Fleet_SessionExpired_NothingOldGetsThrough() => RunAsync(FleetFaults.ExpireSessionAsync);
}
