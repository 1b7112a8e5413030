using System.Diagnostics.Metrics;
using FenceGateway.TokenStore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.Gateway.Tests;

/// <summary>A gateway's session in a store that opens at once.</summary>
internal static class TestSession
{
    public static GatewaySession Open(ITokenStore store, TimeProvider time, GatewaySessionOptions? options = null)
    {
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        var session = new GatewaySession(
            store, options ?? new GatewaySessionOptions(), time, NullLogger<GatewaySession>.Instance, meters);
        session.OpenAsync(CancellationToken.None).AsTask().IsCompletedSuccessfully.ShouldBeTrue();
        return session;
    }
}
