namespace FenceGateway.Gateway.FunctionalTests.BadInput;

/// <summary>
/// A request's target names one resource to the gateway and to any service behind it, or is refused (R13).
/// </summary>
public sealed class TargetTests() : BadInputTests(
    policy: null,
    ("all", TestGateway.Route("/{**path}", fenced: false)),
    ("open", TestGateway.Route("/open/{**path}", fenced: false, cluster: "open")),
    ("files", TestGateway.Route("/files/{id}", fenced: true)))
{
    private const string Token = "Fencing-Token: 5";
    private const string Older = "Fencing-Token: 4";

    [Theory]
    [InlineData("/orders/%31", "/orders/1")]
    [InlineData("/orders/1/", "/orders/1/")]
    [InlineData("/orders/1/lines/2", "/orders/1/lines/2")]
    [InlineData("/%6Frders/1", "/orders/1")]
    [InlineData("/ORDERS/1", "/ORDERS/1")]
    [InlineData("/orders/1?id=2", "/orders/1?id=2")]
    [InlineData("/orders/1?x=/../", "/orders/1?x=/../")]
    [InlineData("/orders/1?", "/orders/1?")]
    [InlineData("http://gateway.test/orders/1", "/orders/1")]
    [InlineData("http://GATEWAY.test/orders/%31", "/orders/1")]
    public async Task Target_AnotherWayToWriteIt_NamesTheSameResource(string target, string sent)
    {
        (await PassesAsync(Request("PUT", target, Token))).Target.ShouldBe(sent);
        await RefusedAsync(Request("PUT", "/orders/1", Older), 409, Stale);
        await RefusedAsync(Request("PUT", target, Older), 409, Stale);
    }

    [Theory]
    [InlineData("/orders/A", "/orders/a")]
    [InlineData("/orders/1", "/orders/10")]
    [InlineData("/orders/1", "/orders/1.0")]
    [InlineData("/orders/a.b", "/orders/a..b")]
    [InlineData("/orders/...", "/orders/.hidden")]
    [InlineData("/orders/%C3%A9", "/orders/e")]
    public async Task Target_AnotherResource_HasAMarkOfItsOwn(string first, string second)
    {
        await PassesAsync(Request("PUT", first, Token));
        await PassesAsync(Request("PUT", second, Older));
    }

    /// <summary>Neither on the fenced route nor on the one that takes everything else to the same service.</summary>
    [Theory]
    [InlineData("//orders/1")]
    [InlineData("/orders//1")]
    [InlineData("/orders/1//")]
    [InlineData("///orders/1")]
    [InlineData("/orders/../orders/1")]
    [InlineData("/orders/./1")]
    [InlineData("/orders/1/.")]
    [InlineData("/orders/1/..")]
    [InlineData("/orders/2/../1")]
    [InlineData("/x/../orders/1")]
    [InlineData("/../orders/1")]
    [InlineData("/orders/%2e%2e/orders/1")]
    [InlineData("/orders/%2E%2e/orders/1")]
    [InlineData("/orders/.%2e/orders/1")]
    [InlineData("/orders/%2e/1")]
    [InlineData("/x/%2e%2e/orders/1")]
    [InlineData("/x/%2e%2e%2forders/1")]
    [InlineData("/x/..%2forders/1")]
    [InlineData("/x/..%2Forders%2F1")]
    [InlineData("/orders%2F1")]
    [InlineData("/orders/1%2F2")]
    [InlineData("/orders/1%2f")]
    [InlineData("/orders/1%252F2")]
    [InlineData("/orders/%2531")]
    [InlineData("/orders/1%25")]
    [InlineData("/orders\\1")]
    [InlineData("/orders/1\\2")]
    [InlineData("/orders/1\\")]
    [InlineData("/x\\..\\orders/1")]
    [InlineData("/orders/1%5C2")]
    [InlineData("/orders%5c1")]
    [InlineData("/orders/1;v=2")]
    [InlineData("/orders;v=2/1")]
    [InlineData("/;/orders/1")]
    [InlineData("/x/..;/orders/1")]
    [InlineData("/orders/1%3B")]
    [InlineData("/orders/1%3bv=2")]
    [InlineData("/orders/%C0%B1")]
    [InlineData("/orders/1%C0%AF2")]
    [InlineData("/x/..%C0%AForders/1")]
    [InlineData("/orders/%E0%80%AF")]
    [InlineData("/orders/%FF")]
    [InlineData("/orders/%ED%A0%80")]
    [InlineData("/orders/%C3")]
    [InlineData("/orders/%zz")]
    [InlineData("/orders/1%")]
    [InlineData("/orders/1%2")]
    [InlineData("/orders/%u0031")]
    [InlineData("/orders/1%0A")]
    [InlineData("/orders/1%0d%0aX:y")]
    [InlineData("/orders/1%7F")]
    [InlineData("/orders/1%C2%85")]
    [InlineData("/orders/1#2")]
    [InlineData("http://gateway.test//orders/1")]
    [InlineData("http://gateway.test/x/../orders/1")]
    [InlineData("http://gateway.test/x/..%2Forders/1")]
    [InlineData("http://gateway.test/orders/1;v=2")]
    [InlineData("http://gateway.test/orders\\1")]
    public Task Target_CanBeReadInTwoWays_Is400(string target) => RefusedAnywhereAsync(target);

    [Theory]
    [InlineData("/orders/1%00")]
    [InlineData("/orders/%00")]
    [InlineData("/orders/1\0")]
    [InlineData("/orders/1\u00B2")]
    [InlineData("orders/1")]
    [InlineData("\\orders\\1")]
    [InlineData("http:/orders/1")]
    [InlineData("http://other.test/orders/1")]
    [InlineData("http://gateway.test:81/orders/1")]
    [InlineData("https://other.test/orders/1")]
    [InlineData("http://user@other.test/orders/1")]
    [InlineData("http:///orders/1")]
    [InlineData("/orders/1 2")]
    public Task Target_ThatTheListenerCannotRead_IsRejectedByIt(string target) =>
        RejectedByListenerAsync(Request("PUT", target, Token));

    [Theory]
    [InlineData("PUT", "*")]
    [InlineData("PUT", "gateway.test:80")]
    public Task Target_OfAnotherMethod_IsRejectedByTheListener(string method, string target) =>
        RejectedByListenerAsync(Request(method, target, Token), 405);

    [Theory]
    [InlineData("/open/..%2Forders/1")]
    [InlineData("/open//orders/1")]
    [InlineData("/open/1;v=2")]
    public async Task Target_Ambiguous_IsNoMatterWhereTheServiceIsNotFenced(string target)
    {
        await PassesAsync(Request("PUT", target), Gateway.Open);
        Service.Entries.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("/public/a%20b")]
    [InlineData("/public/")]
    [InlineData("/")]
    public async Task Target_PlainOnAnUnfencedRoute_Passes(string target) => await PassesAsync(Request("PUT", target));

    [Fact]
    public async Task Target_KeyLongerThanItMayBe_Is400()
    {
        await PassesAsync(Request("PUT", "/orders/" + new string('a', 1024 - "orders/".Length), Token));
        await RefusedAsync(
            Request("PUT", "/orders/" + new string('a', 1025 - "orders/".Length), Token), 400, Ambiguous);
        await RefusedAsync(Request("PUT", "/orders/" + new string('a', 6000), Token), 400, Ambiguous);
    }

    [Fact]
    public async Task Target_TheWholeServer_IsNoResource()
    {
        (await PassesAsync(Request("OPTIONS", "*"))).Method.ShouldBe("OPTIONS");
    }

    [Theory]
    [InlineData("MOVE")]
    [InlineData("COPY")]
    [InlineData("move")]
    public async Task SecondTarget_IsAnotherResource_Is400(string method)
    {
        foreach (var destination in new[]
        {
            "/orders/2", "/files/1", "/x", "http://gateway.test/orders/2", "http://other.test/orders/1",
            "//other.test/orders/1",
            "/orders/1/../2", "/orders/2%2F..%2F1", "http://gateway.test/orders/1#", "http://gateway.test#/orders/1",
            "http://gateway.test?/orders/1", "http://gateway.test\\/orders/1", "ftp://gateway.test/orders/1",
            "x/orders/1",
            "http://gateway.test:81/orders/1", "http://gateway.test:443/orders/1", "https://gateway.test:80/orders/1",
            "http://gateway.test:x/orders/1", "http://gateway.test:80:80/orders/1",
            "http://x@gateway.test/orders/1", "http:///orders/1",
            "orders/1", "x:/orders/1", "/x?http://gateway.test/orders/1", "x/http://gateway.test/orders/1", "",
        })
        {
            await RefusedAsync(
                Request(method, "/orders/1", Token, $"Destination: {destination}"), 400, "cross-resource");
        }

        await RefusedAsync(Request(method, "/orders/1", Token), 400, "cross-resource");
        await RefusedAsync(
            Request(method, "/orders/1", Token, "Destination: /orders/1", "Destination: /orders/2"), 400,
            "cross-resource");
    }

    [Theory]
    [InlineData("/orders/1/copy")]
    [InlineData("/orders/%31/copy")]
    [InlineData("http://gateway.test/orders/1/copy")]
    [InlineData("HTTP://GATEWAY.TEST/orders/1")]
    [InlineData("http://gateway.test:80/orders/1/copy")]
    [InlineData("http://gateway.test:/orders/1/copy")]
    [InlineData("https://gateway.test:443/orders/1/copy")]
    public async Task SecondTarget_IsTheSameResource_Passes(string destination) =>
        await PassesAsync(Request("MOVE", "/orders/1", Token, $"Destination: {destination}"));

    private async Task RefusedAnywhereAsync(string target)
    {
        await RefusedAsync(Request("PUT", target, Token), 400, Ambiguous);
        await RefusedAsync(Request("PUT", target), 400, Ambiguous);
        await RefusedAsync(Request("GET", target), 400, Ambiguous);
    }
}

/// <summary>Keys that differ in case only are one resource where the policy says so.</summary>
public sealed class CaseInsensitiveTargetTests() : BadInputTests(new { CaseInsensitive = true })
{
    [Theory]
    [InlineData("/orders/abc", "/orders/ABC")]
    [InlineData("/orders/ABC", "/Orders/%61bc")]
    [InlineData("/orders/%C3%89", "/orders/%C3%A9")]
    [InlineData("/orders/%E2%84%AA", "/orders/k")]
    public async Task Target_OtherCase_NamesTheSameResource(string first, string second)
    {
        await PassesAsync(Request("PUT", first, "Fencing-Token: 5"));
        await RefusedAsync(Request("PUT", second, "Fencing-Token: 4"), 409, Stale);
    }
}
