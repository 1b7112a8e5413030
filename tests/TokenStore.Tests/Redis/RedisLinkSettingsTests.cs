using FenceGateway.TokenStore.Redis;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Tests.Redis;

/// <summary>What the client is told, whatever the configuration string says.</summary>
public sealed class RedisLinkSettingsTests
{
    private const string Everything =
        "a:1,b:2,user=fence,password=secret,ssl=true,sslHost=h,defaultDatabase=3,connectTimeout=700,connectRetry=5,name=gw,abortConnect=true,"
        + "tiebreaker=t,configChannel=c,maintNotifications=Enabled,setlib=true,allowAdmin=false";

    [Theory]
    [InlineData("a:1")]
    [InlineData(Everything)]
    [InlineData("name.redis.cache.windows.net")]
    [InlineData("redis-1.c1.eu-1.cloud.redislabs.com:1")]
    public void Read_AnyConfiguration_KeepsNoCallAndGivesNoneUp(string configuration)
    {
        var options = RedisLinkSettings.Read(configuration).Options;

        options.BacklogPolicy.QueueWhileDisconnected.ShouldBeFalse();
        options.BacklogPolicy.AbortPendingOnConnectionFailure.ShouldBeTrue();
        options.MaintenanceNotifications.ShouldBe(MaintenanceNotificationMode.Disabled);
        options.AsyncTimeout.ShouldBe(int.MaxValue);
        options.AbortOnConnectFail.ShouldBeFalse();
        options.HeartbeatInterval.ShouldBe(TimeSpan.FromMilliseconds(250));
        options.HeartbeatConsistencyChecks.ShouldBeFalse();
        options.ReconnectRetryPolicy.ShouldBeOfType<ExponentialRetry>();
        options.ReconnectRetryPolicy.ShouldRetry(1000, 500).ShouldBeTrue();
        options.ReconnectRetryPolicy.ShouldRetry(1, 49).ShouldBeFalse();
        options.Protocol.ShouldBe(RedisProtocol.Resp3);
        options.AllowAdmin.ShouldBeTrue();
        (options.TieBreaker, options.ConfigurationChannel).ShouldBe(("", ""));
        (options.SetClientLibrary, options.IncludeDetailInExceptions).ShouldBe((false, false));
    }

    [Fact]
    public void Read_WhatTheConfigurationMayChoose_IsKept()
    {
        var settings = RedisLinkSettings.Read(Everything);

        var options = settings.Options;
        (options.User, options.Password, options.Ssl, options.SslHost).ShouldBe(("fence", "secret", true, "h"));
        (options.DefaultDatabase, options.ConnectTimeout, options.ConnectRetry, options.ClientName).ShouldBe(
            (3, 700, 5, "gw"));
        settings.Location.ShouldBe("a:1,b:2");
        settings.IsNamedUser.ShouldBeTrue();
    }

    [Theory]
    [InlineData("a:1,password=secret")]
    [InlineData("a:1,user=default,password=secret")]
    public void Read_ThePasswordOfDefault_IsNoNamedUser(string configuration)
    {
        var settings = RedisLinkSettings.Read(configuration);

        settings.IsNamedUser.ShouldBeFalse();
        (settings.Options.ConnectTimeout, settings.Options.ConnectRetry, settings.Options.ClientName).ShouldBe(
            (2000, 1, "fencegateway"));
    }
}
