using System.Text;
using FenceGateway.Gateway.Idempotency;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace FenceGateway.Gateway.Tests.Idempotency;

public sealed class HeldAnswerTests : IDisposable
{
    private readonly MemoryStream _client = new();
    private readonly DefaultHttpContext _context = new();
    private readonly HeldAnswer _held;

    public HeldAnswerTests()
    {
        _held = new HeldAnswer(new StreamResponseBodyFeature(_client), limit: 10);
        _context.Features.Set<IHttpResponseBodyFeature>(_held);
    }

    public void Dispose()
    {
        _held.Dispose();
        _client.Dispose();
    }

    private string Received => Encoding.UTF8.GetString(_client.ToArray());

    [Fact]
    public async Task Write_UpToTheLimit_IsHeldUntilItIsSent()
    {
        await _context.Response.WriteAsync("12345");
        await _context.Response.Body.FlushAsync();
        await _context.Response.StartAsync();
        await _context.Response.WriteAsync("67890");
        await _context.Response.CompleteAsync();
        Received.ShouldBe("");
        _held.Body.Length.ShouldBe(10);

        await _held.SendAsync();

        Received.ShouldBe("1234567890");
        _held.HasPassed.ShouldBeFalse();
    }

    [Fact]
    public async Task Write_BeyondTheLimit_FlowsOnFromThen()
    {
        await _context.Response.WriteAsync("12345");
        await _context.Response.WriteAsync("678901");
        Received.ShouldBe("12345678901");
        await _context.Response.WriteAsync("2");
        await _held.SendAsync();

        Received.ShouldBe("123456789012");
        _held.HasPassed.ShouldBeTrue();
    }

    [Fact]
    public async Task Clear_Held_ForgetsIt()
    {
        await _context.Response.WriteAsync("half");
        _context.Response.Clear();
        await _context.Response.WriteAsync("whole");
        await _held.SendAsync();

        Received.ShouldBe("whole");
    }

    [Fact]
    public async Task Writer_IsHeldAsWell()
    {
        await _context.Response.BodyWriter.WriteAsync("abc"u8.ToArray());
        await _context.Response.CompleteAsync();
        Received.ShouldBe("");
        await _held.SendAsync();

        Received.ShouldBe("abc");
    }
}
