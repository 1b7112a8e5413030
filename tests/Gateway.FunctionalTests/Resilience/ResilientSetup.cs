using FenceGateway.Gateway.FunctionalTests.Fence;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience;

/// <summary>
/// The fenced route <c>/orders/{id}</c> and the plain one <c>/open</c> with one resilience policy, named by their
/// cluster.
/// </summary>
internal static class ResilientSetup
{
    /// <param name="mechanisms">The members of the policy, as JSON.</param>
    public static GatewaySetup With(string mechanisms) => new()
    {
        Policy = GatewaySetup.PatientDrain,
        Cluster = """ "Metadata": { "ResiliencePolicy": "p" } """,
        Gateway = $$""" "ResiliencePolicies": { "p": { {{mechanisms}} } } """,
    };

    /// <summary>Moves the clock on, little by little, until the answer is there.</summary>
    public static async Task<T> MoveOnUntilAsync<T>(this FencedGateway gateway, Task<T> answering)
    {
        for (var i = 0; i < 10_000 && !answering.IsCompleted; i++)
        {
            gateway.Clock.Advance(TimeSpan.FromMilliseconds(5));
            await Task.WhenAny(answering, Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System));
        }

        return await answering;
    }

    /// <summary>Moves the clock on, little by little, until the service has the next request with its body.</summary>
    public static async Task<ServiceArrival> MoveOnUntilArrivalAsync(this FencedGateway gateway)
    {
        var arriving = gateway.Service.NextArrivalAsync();
        while (!arriving.IsCompleted)
        {
            gateway.Clock.Advance(TimeSpan.FromMilliseconds(5));
            await Task.WhenAny(arriving, Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System));
        }

        var arrival = await arriving;
        await arrival.WaitForBodyAsync(1);
        return arrival;
    }
}
