using FenceGateway.Gateway.FunctionalTests.Fence;

namespace FenceGateway.Gateway.FunctionalTests.Resilience;

/// <summary>The fenced route <c>/orders/{id}</c> and the plain one <c>/open</c> with one resilience policy, named by their cluster.</summary>
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
    public static async Task<Answer> MoveOnUntilAsync(this FencedGateway gateway, Task<Answer> answering)
    {
        for (var i = 0; i < 10_000 && !answering.IsCompleted; i++)
        {
            gateway.Clock.Advance(TimeSpan.FromMilliseconds(5));
            await Task.WhenAny(answering, Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System));
        }

        return await answering;
    }
}
