using FenceGateway.Gateway.Listeners;
using FenceGateway.Gateway.Overload;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;

namespace FenceGateway.Gateway.Tests.Listeners;

public sealed class KestrelLimitsTests
{
    [Fact]
    public void Apply_NothingConfigured_EverythingIsBounded()
    {
        var limits = Apply([]);

        limits.MaxConcurrentConnections.ShouldBe(16_384);
        limits.MaxConcurrentUpgradedConnections.ShouldBe(16_384);
        limits.MaxRequestBufferSize.ShouldBe(128 * 1024);

        // Kestrel's own defaults, which the documentation names.
        limits.MaxRequestBodySize.ShouldBe(30_000_000);
        limits.MaxResponseBufferSize.ShouldBe(64 * 1024);
        limits.MaxRequestLineSize.ShouldBe(8 * 1024);
        limits.MaxRequestHeadersTotalSize.ShouldBe(32 * 1024);
        limits.MaxRequestHeaderCount.ShouldBe(100);
        limits.RequestHeadersTimeout.ShouldBe(TimeSpan.FromSeconds(30));
        limits.KeepAliveTimeout.ShouldBe(TimeSpan.FromSeconds(130));
        limits.MinRequestBodyDataRate!.BytesPerSecond.ShouldBe(240);
        limits.MinResponseDataRate!.BytesPerSecond.ShouldBe(240);
        limits.Http2.MaxStreamsPerConnection.ShouldBe(100);
        limits.Http2.InitialConnectionWindowSize.ShouldBe(1024 * 1024);
    }

    [Fact]
    public void Apply_KestrelsOwnSection_HasTheLastWord()
    {
        var limits = Apply(new()
        {
            ["MaxConcurrentConnections"] = "7",
            ["MaxRequestBodySize"] = "1000",
            ["RequestHeadersTimeout"] = "00:00:05",
            ["Http2:MaxStreamsPerConnection"] = "9",
            ["MinRequestBodyDataRate:BytesPerSecond"] = "1000",
            ["MinRequestBodyDataRate:GracePeriod"] = "00:00:02",
            ["MinResponseDataRate:BytesPerSecond"] = "50.5",
        });

        limits.MaxConcurrentConnections.ShouldBe(7);
        limits.MaxConcurrentUpgradedConnections.ShouldBe(16_384);
        limits.MaxRequestBodySize.ShouldBe(1000);
        limits.RequestHeadersTimeout.ShouldBe(TimeSpan.FromSeconds(5));
        limits.Http2.MaxStreamsPerConnection.ShouldBe(9);
        (limits.MinRequestBodyDataRate!.BytesPerSecond, limits.MinRequestBodyDataRate.GracePeriod)
            .ShouldBe((1000, TimeSpan.FromSeconds(2)));
        (limits.MinResponseDataRate!.BytesPerSecond, limits.MinResponseDataRate.GracePeriod)
            .ShouldBe((50.5, TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public void Apply_LargerHeads_EnlargeTheBufferThatHasToHoldThem() =>
        Apply(new() { ["MaxRequestHeadersTotalSize"] = "300000" }).MaxRequestBufferSize.ShouldBe(300_000);

    [Theory]
    [InlineData("MinRequestBodyDataRate:BytesPerSecond", "fast")]
    [InlineData("MinRequestBodyDataRate:BytesPerSecond", "-1")]
    [InlineData("MinRequestBodyDataRate:GracePeriod", "00:00:00")]
    [InlineData("MaxConcurrentConnections", "many")]
    public void Apply_WrongValue_IsNamed(string key, string value) =>
        Should.Throw<InvalidOperationException>(() => Apply(new() { [key] = value })).Message
            .ShouldContain($"Kestrel:Limits:{key.Split(':')[0]}");

    private static KestrelServerLimits Apply(Dictionary<string, string?> limits)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(limits.Select(l => KeyValuePair.Create($"Kestrel:Limits:{l.Key}", l.Value)))
            .Build();
        var kestrel = new KestrelServerOptions();
        KestrelLimits.Apply(kestrel, new LimitsOptions().MaxConnections, configuration.GetSection("Kestrel"));
        return kestrel.Limits;
    }
}
