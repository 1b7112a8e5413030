using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace FenceGateway.Gateway.Tests.Fencing;

public sealed class RequestResourceValuesTests
{
    [Theory]
    [InlineData("a/b", "a/b")]
    [InlineData("a/b/", "a/b")]
    [InlineData("/", null)]
    [InlineData(null, null)]
    public void Route_TrailingSlash_IsNotPartOfTheKey(string? value, string? key) =>
        Render("{path}", r => r.RouteValues["path"] = value).ShouldBe(
            key is null ? (RenderStatus.Missing, "") : (RenderStatus.Rendered, key));

    [Theory]
    [InlineData("gateway.test", "gateway.test")]
    [InlineData("GATEWAY.test.:8080", "gateway.test")]
    [InlineData("[::1]:80", "[::1]")]
    public void Host_AnySpelling_IsOneKey(string host, string key) =>
        Render("{host}", r => r.Host = new HostString(host)).ShouldBe((RenderStatus.Rendered, key));

    [Theory]
    [InlineData("?id=1", "1")]
    [InlineData("?ID=1", "1")]
    [InlineData("?x=2&id=%61", "a")]
    [InlineData("?id=a/b", "a%2Fb")]
    [InlineData("?id=%C3%A9", "é")]
    [InlineData("?id[]=1", "1")]
    public void Query_OneReading_IsTheKey(string query, string key) =>
        Render("{query:id}", r => r.QueryString = new QueryString(query)).ShouldBe((RenderStatus.Rendered, key));

    [Theory]
    [InlineData("?id=1&id=1")]
    [InlineData("?id=1&Id=2")]
    [InlineData("?id=1&id[]=2")]
    [InlineData("?id=1&%69d=2")]
    [InlineData("?id=1&+id=2")]
    [InlineData("?id=1&id%00=2")]
    [InlineData("?id=1;x=2")]
    [InlineData("?id=1+2")]
    [InlineData("?id=%")]
    [InlineData("?id=%2531")]
    [InlineData("?id=%C0%B1")]
    [InlineData("?id=%FF")]
    [InlineData("?id=1%00")]
    [InlineData("?id=1%C2%85")]
    public void Query_MoreThanOneReading_IsAmbiguous(string query) =>
        Render("{query:id}", r => r.QueryString = new QueryString(query)).Status.ShouldBe(RenderStatus.Ambiguous);

    [Theory]
    [InlineData("order.id")]
    [InlineData("order id")]
    [InlineData("Order_Id")]
    [InlineData("order_id[x]")]
    public void Query_NameThatPhpTakesForIt_IsAmbiguousBesideIt(string other) =>
        Render("{query:order_id}", r => r.QueryString = QueryString.Create(other, "2").Add("order_id", "1")).Status
            .ShouldBe(RenderStatus.Ambiguous);

    [Theory]
    [InlineData("")]
    [InlineData("?")]
    [InlineData("?id")]
    [InlineData("?id=")]
    [InlineData("?ids=1")]
    [InlineData("?i=1")]
    [InlineData("?xid=1")]
    public void Query_NoValue_IsMissing(string query) =>
        Render("{query:id}", r => r.QueryString = new QueryString(query)).Status.ShouldBe(RenderStatus.Missing);

    [Fact]
    public void Header_OneLine_IsTheKey() =>
        Render("{header:X-Order}", r => r.Headers["X-Order"] = " 1 ").ShouldBe((RenderStatus.Rendered, "1"));

    [Fact]
    public void Header_MoreThanOneReading_IsAmbiguous()
    {
        Render("{header:X-Order}", r => r.Headers["X-Order"] = new[] { "1", "1" }).Status.ShouldBe(
            RenderStatus.Ambiguous);
        Render("{header:X-Order}", r => r.Headers["X-Order"] = "1,2").Status.ShouldBe(RenderStatus.Ambiguous);
        Render("{header:X-Order}", r =>
        {
            r.Headers["X-Order"] = "1";
            r.Headers["X_Order"] = "2";
        }).Status.ShouldBe(RenderStatus.Ambiguous);
        Render("{header:X-Order}", r =>
        {
            r.Headers["X-Order"] = "1";
            r.Headers["x.order"] = "2";
        }).Status.ShouldBe(RenderStatus.Ambiguous);
        Render("{header:X-Order}", r =>
        {
            r.Headers["X-Order"] = "1";
            r.Headers.Connection = "close, x-order";
        }).Status.ShouldBe(RenderStatus.Ambiguous);
    }

    [Fact]
    public void Header_None_IsMissing()
    {
        Render("{header:X-Order}", _ => { }).Status.ShouldBe(RenderStatus.Missing);
        Render("{header:X-Order}", r => r.Headers["X-Order"] = " ").Status.ShouldBe(RenderStatus.Missing);
    }

    private static (RenderStatus Status, string Key) Render(string template, Action<HttpRequest> arrange)
    {
        var request = new DefaultHttpContext().Request;
        arrange(request);
        var values = new RequestResourceValues(request, new RouteValueDictionary(request.RouteValues));
        var key = new char[ResourceKey.MaxBytes];
        var status = FencingPolicies.Template(template).Render(ref values, key, out var length, out _);
        return (status, status == RenderStatus.Rendered ? new string(key, 0, length) : "");
    }
}
