using FenceGateway.Fleet.Tests.Stores;
using FenceGateway.Fleet.Tests.World;

namespace FenceGateway.Fleet.Tests;

public sealed class RedisFleetTests(ITestOutputHelper output) : FleetTests(output, new RedisUnderTest());

public sealed class QuorumFleetTests(ITestOutputHelper output) : FleetTests(output, new QuorumUnderTest())
{
    [Fact]
    public Task Fleet_OneMasterRestartedEmpty_NobodyNotices() => RunAsync(2, FleetFaults.EmptyServerAsync);
}


public sealed class EtcdFleetTests(ITestOutputHelper output) : FleetTests(output, new EtcdUnderTest());
