using FenceGateway.Gateway.Overload;

namespace FenceGateway.Gateway.Tests.Overload;

public sealed class DescriptorLimitTests
{
    [Theory]
    [InlineData(16_384, 4096, long.MaxValue, 16_384, 4096)]
    [InlineData(16_384, 4096, 20_480 + DescriptorLimit.Reserved, 16_384, 4096)]
    [InlineData(16_384, 4096, 20_479 + DescriptorLimit.Reserved, 16_383, 4096)]
    [InlineData(16_384, 4096, 4096, 1920, 1920)]
    [InlineData(16_384, 100, 4096, 3740, 100)]
    [InlineData(50, 4096, 4096, 50, 1920)]
    [InlineData(16_384, 4096, 1024, 384, 384)]
    [InlineData(16_384, 4096, 1, 32, 32)]
    public void Of_TooFewDescriptors_TakesAsMuchAsThereIsRoomFor(
        int maxConnections, int maxInFlight, long descriptors, int connections, int inFlight) =>
        DescriptorLimit.Of(
            new LimitsOptions { MaxConnections = maxConnections, MaxInFlight = maxInFlight }, descriptors)
            .ShouldBe(new DescriptorLimit(connections, inFlight));

    [Fact]
    public void Descriptors_OfThisProcess_AreKnown() =>
        DescriptorLimit.Descriptors().ShouldBeGreaterThan(DescriptorLimit.Least);
}
