using System.Text;
using FenceGateway.Gateway.Idempotency;
using FenceGateway.Idempotency;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.Tests.Idempotency;

public sealed class KeyedBodyTests
{
    [Theory]
    [InlineData(0, null)]
    [InlineData(1, null)]
    [InlineData(1, 1L)]
    [InlineData(4096, null)]
    [InlineData(4097, null)]
    [InlineData(10_000, null)]
    [InlineData(10_000, 10_000L)]
    public async Task ReadAsync_UpToTheLimit_IsReadAndCanBeReadAgain(int length, long? contentLength)
    {
        var context = Context(length, contentLength);

        var body = await KeyedBody.ReadAsync(context, limit: 10_000);

        body.ShouldNotBeNull().Length.ShouldBe(length);
        for (var attempt = 0; attempt < 2; attempt++)
        {
            context.Request.Body.Position = 0;
            using var again = new MemoryStream();
            await context.Request.Body.CopyToAsync(again, TestContext.Current.CancellationToken);
            again.ToArray().ShouldBe(body.Value.ToArray());
        }
    }

    [Theory]
    [InlineData(10_001, null)]
    [InlineData(20_000, null)]
    [InlineData(10_001, 10_001L)]
    public async Task ReadAsync_BeyondTheLimit_IsNull(int length, long? contentLength) =>
        (await KeyedBody.ReadAsync(Context(length, contentLength), limit: 10_000)).ShouldBeNull();

    [Fact]
    public void Fingerprint_PartsThatRunTogether_AreToldApart()
    {
        RequestFingerprint.Of(["ab", "c"], "d"u8).ShouldNotBe(RequestFingerprint.Of(["a", "bc"], "d"u8));
        RequestFingerprint.Of(["a", null], "d"u8).ShouldNotBe(RequestFingerprint.Of(["a", ""], "d"u8));
        KeyHash.Of("route", null, "key").ShouldNotBe(KeyHash.Of("route", "", "key"));
        KeyHash.Of("route", "a", "b").ShouldBe(KeyHash.Of("route", "a", "b"));
    }

    [Fact]
    public void Fingerprint_TokenAndCredentials_AreNoPartOfIt()
    {
        var (one, two) = (Context(1, 1), Context(1, 1));
        (one.Request.Headers["Fencing-Token"], two.Request.Headers["Fencing-Token"]) = ("33", "34");
        (one.Request.Headers.Authorization, two.Request.Headers.Authorization) = ("Bearer a", "Bearer b");

        KeyedBody.Fingerprint(one, "x"u8).ShouldBe(KeyedBody.Fingerprint(two, "x"u8));
        two.Request.Host = new HostString("other");
        KeyedBody.Fingerprint(one, "x"u8).ShouldNotBe(KeyedBody.Fingerprint(two, "x"u8));
    }

    private static DefaultHttpContext Context(int length, long? contentLength)
    {
        var context = new DefaultHttpContext();
        context.Request.Method = "POST";
        context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget = "/orders";
        context.Request.Body = new MemoryStream(Encoding.ASCII.GetBytes(new string('x', length)));
        context.Request.ContentLength = contentLength;
        return context;
    }
}
