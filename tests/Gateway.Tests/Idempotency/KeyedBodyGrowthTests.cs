using System.IO.Pipelines;
using FenceGateway.Gateway.Idempotency;
using Microsoft.AspNetCore.Http;

namespace FenceGateway.Gateway.Tests.Idempotency;

public sealed class KeyedBodyGrowthTests
{
    private const int MiB = 1 << 20;

    [Fact]
    public async Task ReadAsync_BodyThatIsOnlyPromised_TakesNoMemory()
    {
        var pipe = new Pipe();
        var context = Request(pipe.Reader.AsStream(), 32 * MiB);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var reading = KeyedBody.ReadAsync(context, 64 * MiB);

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(MiB);
        reading.IsCompleted.ShouldBeFalse();
        await pipe.Writer.CompleteAsync();
        await reading;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(16 * 1024)]
    [InlineData((16 * 1024) + 1)]
    [InlineData(MiB)]
    public async Task ReadAsync_KnownOrUnknownLength_IsTheWholeBody(int length)
    {
        var body = new byte[length];
        new Random(length).NextBytes(body);
        foreach (var known in new long?[] { length, null })
        {
            var context = Request(new MemoryStream(body), known);

            (await KeyedBody.ReadAsync(context, MiB))!.Value.ToArray().ShouldBe(body);
            using var again = new MemoryStream();
            await context.Request.Body.CopyToAsync(again);
            again.ToArray().ShouldBe(body);
        }
    }

    private static DefaultHttpContext Request(Stream body, long? length)
    {
        var context = new DefaultHttpContext();
        context.Request.Body = body;
        context.Request.ContentLength = length;
        return context;
    }
}
