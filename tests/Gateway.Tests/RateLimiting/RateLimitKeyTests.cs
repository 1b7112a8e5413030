using System.Net;
using FenceGateway.Gateway.RateLimiting;
using FenceGateway.Gateway.Requests;
using Microsoft.AspNetCore.Http;

namespace FenceGateway.Gateway.Tests.RateLimiting;

public sealed class RateLimitKeyTests
{
    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1", true)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", true)]
    [InlineData("::ffff:192.0.2.1", "::ffff:192.0.2.2", false)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [InlineData("fe80::1%1", "fe80::1%2", true)]
    [InlineData(null, "192.0.2.1", false)]
    public void ClientAddress_OneSubscriber_IsOnePartition(string? a, string b, bool same) =>
        ShouldBeSame("ClientAddress", c => c.Connection.RemoteIpAddress = a is null ? null : IPAddress.Parse(a),
            c => c.Connection.RemoteIpAddress = IPAddress.Parse(b), same);

    [Theory]
    [InlineData(new[] { "a" }, new[] { " a " }, true)]
    [InlineData(new[] { "a" }, new[] { "A" }, false)]
    [InlineData(new[] { "a", "b" }, new[] { "a, b" }, true)]
    [InlineData(new[] { "a", "b" }, new[] { "a" }, false)]
    [InlineData(new string[0], new[] { "" }, true)]
    [InlineData(new string[0], new[] { "a" }, false)]
    public void Header_LinesAndLists_AreOneValue(string[] a, string[] b, bool same) =>
        ShouldBeSame("Header:X-Key", c => c.Request.Headers["X-Key"] = a, c => c.Request.Headers["X-Key"] = b, same);

    [Fact]
    public void Header_LongValues_AreToldApartAndTakeLittleRoom()
    {
        var longest = new string('x', 30_000);
        Key("Header:X-Key", c => c.Request.Headers["X-Key"] = longest).Length.ShouldBeLessThan(32);

        ShouldBeSame(
            "Header:X-Key", c => c.Request.Headers["X-Key"] = longest, c => c.Request.Headers["X-Key"] = longest + "y",
            false);
        ShouldBeSame(
            "Header:X-Key", c => c.Request.Headers["X-Key"] = longest, c => c.Request.Headers["X-Key"] = longest, true);
    }

    [Theory]
    [InlineData("?k=1", "?x=2&k=1", true)]
    [InlineData("?k=1", "?k=2", false)]
    [InlineData("?k=1&k=1", "?k=3&k=2", true)]
    [InlineData("?k=1&k=1", "?k=1", false)]
    [InlineData("?k=1&k=1", "", false)]
    [InlineData("?k=", "", true)]
    public void Query_ReadInMoreThanOneWay_IsAPartitionOfItsOwn(string a, string b, bool same) =>
        ShouldBeSame("Query:k", c => c.Request.QueryString = new(a), c => c.Request.QueryString = new(b), same);

    [Fact]
    public void Route_Value_IsThePartition()
    {
        ShouldBeSame("Route:id", c => c.Request.RouteValues["id"] = "1", c => c.Request.RouteValues["id"] = "1/", true);
        ShouldBeSame("Route:id", c => c.Request.RouteValues["id"] = "1", c => c.Request.RouteValues["id"] = "2", false);
        ShouldBeSame("Route:id", _ => { }, c => c.Request.RouteValues["id"] = "", true);
    }

    [Fact]
    public void Tenant_OfTheRequest_IsThePartition()
    {
        var context = new DefaultHttpContext();
        Key("Tenant", context, "a").ShouldNotBe(Key("Tenant", context, "b"));
        Key("Tenant", context, "a").ShouldNotBe(Key("Tenant", context, null));
    }

    [Fact]
    public void Parts_ThatLookAlikeTogether_AreToldApart()
    {
        string Of(string a, string b)
        {
            var context = new DefaultHttpContext();
            context.Request.Headers["A"] = a;
            context.Request.Headers["B"] = b;
            return Key("Header:A, Header:B", context, null);
        }

        Of("1", "23").ShouldNotBe(Of("12", "3"));
        Of("", "x").ShouldNotBe(Of("x", ""));
        Of("x,y", "").ShouldNotBe(Of("x", "y"));
    }

    [Fact]
    public void LongestKey_FitsItsBuffer()
    {
        var context = new DefaultHttpContext();
        var parts = Enumerable.Range(0, RateLimitKey.MaxParts).Select(i => $"Header:H{i}").ToArray();
        foreach (var length in new[] { 64, 65 })
        {
            Array.ForEach(parts, p => context.Request.Headers[p[7..]] = new string('x', length));
            Key(string.Join(", ", parts), context, null).Length.ShouldBeLessThanOrEqualTo(RateLimitKey.MaxLength);
        }
    }

    private static void ShouldBeSame(string partitionBy, Action<HttpContext> a, Action<HttpContext> b, bool same) =>
        (Key(partitionBy, a) == Key(partitionBy, b)).ShouldBe(same);

    private static string Key(string partitionBy, Action<HttpContext> arrange)
    {
        var context = new DefaultHttpContext();
        arrange(context);
        return Key(partitionBy, context, null);
    }

    private static string Key(string partitionBy, HttpContext context, string? tenant)
    {
        var policy = RateLimitPolicies.Of([.. partitionBy.Split(", ").Select((p, i) => ($"PartitionBy:{i}", p))]);
        var request =
            new GatewayRequest { CorrelationHeader = "X-Correlation-Id", CorrelationId = "1", TenantScope = tenant };
        var key = new char[RateLimitKey.MaxLength];
        return new string(key, 0, policy.PartitionBy.Write(context, request, key));
    }
}
