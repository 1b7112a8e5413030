using FenceGateway.Gateway.Requests;

namespace FenceGateway.Gateway.Tests.Requests;

public sealed class StatusSetTests
{
    [Theory]
    [InlineData(200, false)]
    [InlineData(399, false)]
    [InlineData(400, true)]
    [InlineData(500, false)]
    [InlineData(599, true)]
    [InlineData(600, false)]
    [InlineData(0, false)]
    public void Contains_AStatus_OnlyIfItWasGiven(int status, bool contained) =>
        new StatusSet([400, 599]).Contains(status).ShouldBe(contained);

    [Fact]
    public void Equals_SameStatusesInAnyOrder_SoThatAReloadKeepsState()
    {
        var set = new StatusSet([502, 503]);

        set.ShouldBe(new StatusSet([503, 502, 503]));
        set.GetHashCode().ShouldBe(new StatusSet([503, 502]).GetHashCode());
        set.ShouldNotBe(new StatusSet([502]));
    }
}
