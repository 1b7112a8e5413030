using System.Globalization;
using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace FenceGateway.Fencing.Tests;

public sealed class FencingTokenTests
{
    [Theory]
    [InlineData("1", 1)]
    [InlineData("42", 42)]
    [InlineData("1000000000000000000", 1_000_000_000_000_000_000)]
    [InlineData("9223372036854775807", long.MaxValue)]
    public void TryParse_WellFormed_GivesTheValue(string text, long value)
    {
        FencingToken.TryParse(text, out var token).ShouldBeTrue();
        token.Value.ShouldBe(value);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("0")]
    [InlineData("00")]
    [InlineData("05")]
    [InlineData("-1")]
    [InlineData("+5")]
    [InlineData("5.0")]
    [InlineData("5e0")]
    [InlineData("0x5")]
    [InlineData("\"5\"")]
    [InlineData(" 5")]
    [InlineData("5 ")]
    [InlineData("5 6")]
    [InlineData("5,6")]
    [InlineData("5, 6")]
    [InlineData("٥")]
    [InlineData("５")]
    [InlineData("1_000")]
    [InlineData("9223372036854775808")]
    [InlineData("18446744073709551616")]
    [InlineData("9999999999999999999")]
    [InlineData("5\0")]
    public void TryParse_Malformed_IsRefused(string text) => FencingToken.TryParse(text, out _).ShouldBeFalse();

    [Fact]
    public void TryParse_TenThousandDigits_IsRefused() =>
        FencingToken.TryParse(new string('1', 10_000), out _).ShouldBeFalse();

    [Fact]
    public void Constructor_BelowOne_Throws()
    {
        Should.Throw<ArgumentOutOfRangeException>(() => new FencingToken(0));
        Should.Throw<ArgumentOutOfRangeException>(() => new FencingToken(-1));
    }

    [Property]
    public Property TryParse_WhatToStringPrints_RoundTrips() =>
        Prop.ForAll<long>(n =>
        {
            var value = n == long.MinValue ? long.MaxValue : Math.Max(1, Math.Abs(n));
            var token = new FencingToken(value);
            return FencingToken.TryParse(token.ToString(), out var parsed) && parsed == token;
        });

    [Property]
    public Property TryParse_AnyText_AcceptsExactlyCanonicalNumbersInRange() =>
        Prop.ForAll(Gen.ArrayOf(Gen.Elements("0123456789+-. ,x".ToCharArray())).ToArbitrary(), characters =>
        {
            var text = new string(characters);
            var canonical = BigInteger.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
                && value >= 1 && value <= long.MaxValue && value.ToString(CultureInfo.InvariantCulture) == text;
            return FencingToken.TryParse(text, out _) == canonical;
        });

    [Fact]
    public void TryParse_SteadyUse_AllocatesNothing()
    {
        FencingToken.TryParse("9223372036854775807", out _);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            FencingToken.TryParse("9223372036854775807", out _);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }
}
