using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Idempotency;

/// <summary>Whose key it is, and what is answered to a request that never came to have one.</summary>
public sealed class TenantTests
{
    [Theory]
    [InlineData("Acme Corp", "Other Corp")]
    [InlineData("acme", "Acme")]
    [InlineData("a, b", "a, c")]
    public async Task SameKey_AnotherTenant_IsAnotherKey(string one, string other)
    {
        await using var gateway = await KeyedGateway.StartAsync();
        gateway.Service.Script = e => ServiceAction.Apply(200, $"of {e.Headers["X-Tenant-Id"][0]}");

        (await gateway.SendAsync(Of(one))).Text.ShouldBe($"of {one}");
        (await gateway.SendAsync(Of(other))).Text.ShouldBe($"of {other}");
        (await gateway.SendAsync(Of(one))).Headers["Idempotency-Replayed"].ShouldBe("true");
    }

    [Fact]
    public async Task BodyDoesNotComeWithinTheRoutesTimeout_408()
    {
        await using var gateway = await FencedGateway.StartAsync(KeyedGateway.Setup() with
        {
            Routes = """
                "slow": { "ClusterId": "service", "Match": { "Path": "/slow/{**rest}" }, "Timeout": "00:00:00.200",
                  "Metadata": { "ResiliencePolicy": "keys" } }
                """,
        });

        var answer = await RawHttpClient.ExchangeAsync(gateway.Address.Port, RawHttpClient.Head(
            "POST /slow/1 HTTP/1.1", "Host: test", "Idempotency-Key: k", "Content-Length: 10") + "x");

        answer.Status.ShouldBe(408);
        gateway.Service.Entries.ShouldBeEmpty();
    }

    private static Keyed Of(string tenant) => new() { Key = "k", Headers = [("X-Tenant-Id", tenant)] };
}
