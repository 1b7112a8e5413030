using FenceGateway.Gateway.Fencing;
using FenceGateway.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FenceGateway.Gateway.FunctionalTests.Fence;

/// <summary>The search for look-alikes on the headers that Kestrel makes, not on a dictionary.</summary>
public sealed class HeaderLookalikesTests
{
    private static readonly string[] Names = ["Fencing-Token", "X-Fencing-Token"];

    [Theory]
    [InlineData("Fencing-Token: 5", null)]
    [InlineData("Fencing.Token: 5", "Fencing.Token")]
    public async Task Find_KestrelsHeaders_AllocatesNothing(string header, string? found)
    {
        var builder = WebApplication.CreateSlimBuilder();
        _ = builder.Logging.ClearProviders();
        _ = builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var app = builder.Build();
        app.Run(static context =>
        {
            // Once before it counts: code is compiled and a buffer is kept for this thread.
            Look(context.Request.Headers);
            var before = GC.GetAllocatedBytesForCurrentThread();
            var lookalike = Look(context.Request.Headers);
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            return context.Response.WriteAsync($"allocated {allocated} found {lookalike}.");
        });
        await app.StartAsync(TestContext.Current.CancellationToken);

        var response = await RawHttpClient.ExchangeAsync(
            new Uri(app.Urls.First()).Port,
            RawHttpClient.Head(
                "GET / HTTP/1.1", "Host: test", "User-Agent: test", "Accept: */*", "X-Other: a", header, "X-More: b"));

        response.Text.ShouldContain($"allocated 0 found {found}.");
    }

    private static string? Look(IHeaderDictionary headers) =>
        HeaderLookalikes.Any(headers, Names, [], HeaderLookalikes.LengthsOf(Names))
            ? HeaderLookalikes.Find(headers, Names)
            : null;
}
