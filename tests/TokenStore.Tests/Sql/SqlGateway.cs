using FenceGateway.TokenStore.Conformance;

namespace FenceGateway.TokenStore.Tests.Sql;

internal static class SqlGateway
{
    /// <summary>Opens the store and starts a session in it.</summary>
    public static async Task<ConformanceGateway> StartGatewayAsync(this ITokenStore store, TimeSpan? timeToLive = null)
    {
        var gateway = new ConformanceGateway(store);
        await store.OpenAsync(default);
        await gateway.StartSessionAsync(timeToLive);
        return gateway;
    }
}
