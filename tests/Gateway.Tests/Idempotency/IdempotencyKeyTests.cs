using FenceGateway.Gateway.Idempotency;

namespace FenceGateway.Gateway.Tests.Idempotency;

public sealed class IdempotencyKeyTests
{
    [Theory]
    [InlineData("abc", "abc")]
    [InlineData("\"abc\"", "abc")]
    [InlineData("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324")]
    [InlineData("a+b/c==", "a+b/c==")]
    [InlineData("\"a,b;c\"", "a,b;c")]
    [InlineData("\"a\\\"b\"", "a\"b")]
    [InlineData("\"a\\\\\"", "a\\")]
    [InlineData("~!", "~!")]
    public void TryParse_OneKey_IsRead(string value, string expected)
    {
        IdempotencyKey.TryParse(value, out var key).ShouldBeTrue();
        key.ShouldBe(expected);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\"")]
    [InlineData("\"\"")]
    [InlineData("\"abc")]
    [InlineData("abc\"")]
    [InlineData("a\"b")]
    [InlineData("\"a\"b\"")]
    [InlineData("\"a\\\\\"b\"")]
    [InlineData("\"a\\b\"")]
    [InlineData("\"a\\\"")]
    [InlineData("\"abc\";p=1")]
    [InlineData("a;b")]
    [InlineData("a\\b")]
    [InlineData("a b")]
    [InlineData("\"a b\"")]
    [InlineData("a,b")]
    [InlineData("\"a\", \"b\"")]
    [InlineData("a\tb")]
    [InlineData("ä")]
    [InlineData("\"\u007F\"")]
    public void TryParse_AnythingElse_IsRefused(string value) => IdempotencyKey.TryParse(value, out _).ShouldBeFalse();

    [Fact]
    public void TryParse_Length_IsBoundedInBothForms()
    {
        var longest = new string('x', 255);
        IdempotencyKey.TryParse(longest, out _).ShouldBeTrue();
        IdempotencyKey.TryParse($"\"{longest}\"", out _).ShouldBeTrue();
        IdempotencyKey.TryParse(longest + "x", out _).ShouldBeFalse();
        IdempotencyKey.TryParse($"\"{longest}x\"", out _).ShouldBeFalse();
    }

    [Fact]
    public void TryParse_NotExactlyOneValue_IsRefused()
    {
        IdempotencyKey.TryParse(new(["a", "a"]), out _).ShouldBeFalse();
        IdempotencyKey.TryParse(default, out _).ShouldBeFalse();
    }
}
