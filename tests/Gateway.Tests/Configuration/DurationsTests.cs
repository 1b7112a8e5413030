using System.Globalization;
using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Tests.Configuration;

public sealed class DurationsTests
{
    [Theory]
    [InlineData("00:00:00", "00:00:00")]
    [InlineData("00:00:00.050", "00:00:00.05")]
    [InlineData("23:59:59.9999999", "23:59:59.9999999")]
    [InlineData("24:00:00", "1.00:00:00")]
    [InlineData("36:30:15.5", "1.12:30:15.5")]
    [InlineData("100:00:01", "4.04:00:01")]
    [InlineData("9999:59:59", "416.15:59:59")]
    [InlineData("1.00:00:00", "1.00:00:00")]
    [InlineData("30.23:59:59", "30.23:59:59")]
    [InlineData("9999999.00:00:00", "9999999.00:00:00")]
    public void TryParse_Duration_IsWhatItSays(string text, string expected)
    {
        Durations.TryParse(text, out var duration).ShouldBeTrue();

        duration.ShouldBe(TimeSpan.Parse(expected, CultureInfo.InvariantCulture));
        Durations.TryParse(Durations.Write(duration.Value), out var again).ShouldBeTrue();
        again.ShouldBe(duration);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("5s")]
    [InlineData("0:00:05")]
    [InlineData("00:60:00")]
    [InlineData("00:00:60")]
    [InlineData("00:00")]
    [InlineData("024:00:00")]
    [InlineData("10000:00:00")]
    [InlineData("1.24:00:00")]
    [InlineData("1.100:00:00")]
    [InlineData("-00:00:01")]
    [InlineData("00:00:00.")]
    [InlineData("00:00:00.12345678")]
    [InlineData(" 00:00:01")]
    public void TryParse_AnythingElse_IsNone(string text) => Durations.TryParse(text, out _).ShouldBeFalse();
}
