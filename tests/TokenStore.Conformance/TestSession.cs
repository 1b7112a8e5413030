using FenceGateway.TestKit;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.TokenStore.Conformance;

/// <summary>A gateway's session in a store that opens at once.</summary>
public static class TestSession
{
    public static StoreClient Make(ITokenStore store, TimeProvider time, StoreClientOptions? options = null) =>
        new(store, options ?? new StoreClientOptions(), time, NullLogger<StoreClient>.Instance, new TestMeters());

    public static StoreClient Open(ITokenStore store, TimeProvider time, StoreClientOptions? options = null)
    {
        var session = Make(store, time, options);
        session.OpenAsync(CancellationToken.None).AsTask().IsCompletedSuccessfully.ShouldBeTrue();
        return session;
    }
}
