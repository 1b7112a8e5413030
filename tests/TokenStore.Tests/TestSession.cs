using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.TokenStore.Tests;

/// <summary>A gateway's session in a store that opens at once.</summary>
internal static class TestSession
{
    public static GatewaySession Make(ITokenStore store, TimeProvider time, GatewaySessionOptions? options = null) =>
        new(store, options ?? new GatewaySessionOptions(), time, NullLogger<GatewaySession>.Instance, new TestMeters());

    public static GatewaySession Open(ITokenStore store, TimeProvider time, GatewaySessionOptions? options = null)
    {
        var session = Make(store, time, options);
        session.OpenAsync(CancellationToken.None).AsTask().IsCompletedSuccessfully.ShouldBeTrue();
        return session;
    }
}
