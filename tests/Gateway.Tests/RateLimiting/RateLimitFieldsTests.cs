using FenceGateway.Gateway.RateLimiting;
using Microsoft.AspNetCore.Http;

namespace FenceGateway.Gateway.Tests.RateLimiting;

public sealed class RateLimitFieldsTests
{
    [Theory]
    [InlineData("TokenBucket", "00:00:01", "\"test\";q=7;w=1")]
    [InlineData("FixedWindow", "1.00:00:00", "\"test\";q=7;w=86400")]
    [InlineData("FixedWindow", "00:00:01.500", "\"test\";q=7")]
    public void Policy_OfAWindow_TellsItInWholeSecondsOrNotAtAll(string type, string window, string field) =>
        Add([("Type", type), ("PermitLimit", "7"), ("Window", window)], new(3, TimeSpan.FromSeconds(0.2)))
            .ShouldBe((field, "\"test\";r=3;t=1"));

    [Fact]
    public void Policy_OfConcurrency_HasItsUnitAndNoWindow() =>
        Add([("Type", "Concurrency"), ("PermitLimit", "7")], new(0, null)).ShouldBe(
            ("\"test\";q=7;qu=\"concurrent-requests\"", "\"test\";r=0"));

    [Fact]
    public void Name_WithQuotes_IsEscaped()
    {
        var (policy, problems) = RateLimitPolicies.Read("a\"b\\c");
        problems.ShouldBeEmpty();
        var headers = new HeaderDictionary();

        new RateLimitFields(policy!).AddTo(headers, new(1, null));

        headers["RateLimit"].ToString().ShouldBe("\"a\\\"b\\\\c\";r=1");
    }

    [Theory]
    [InlineData("RateLimit")]
    [InlineData("RateLimit-Policy")]
    public void Answer_WithFieldsOfItsOwn_KeepsThemAlone(string own)
    {
        var headers = new HeaderDictionary { [own] = "\"service\";x=1" };

        new RateLimitFields(RateLimitPolicies.Of()).AddTo(headers, new(1, null));

        headers.ShouldHaveSingleItem().Value.ToString().ShouldBe("\"service\";x=1");
    }

    private static (string Policy, string Limit) Add((string Key, string Value)[] settings, RateLimitReading reading)
    {
        var headers = new HeaderDictionary();
        new RateLimitFields(RateLimitPolicies.Of(settings)).AddTo(headers, reading);
        return (headers["RateLimit-Policy"].ToString(), headers["RateLimit"].ToString());
    }
}
