using System.Diagnostics.Metrics;
using FenceGateway.TokenStore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.Gateway.Tests;

/// <summary>A gateway's session in a store that opens at once.</summary>
internal static class TestSession
{
    public static StoreClient Open(ITokenStore store, TimeProvider time, StoreClientOptions? options = null)
    {
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        var session = new StoreClient(
            store, options ?? new StoreClientOptions(), time, NullLogger<StoreClient>.Instance, meters);
        session.OpenAsync(CancellationToken.None).AsTask().IsCompletedSuccessfully.ShouldBeTrue();
        return session;
    }
}
