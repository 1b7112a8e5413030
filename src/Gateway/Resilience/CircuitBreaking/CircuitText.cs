using System.Globalization;
using Polly.CircuitBreaker;

namespace FenceGateway.Gateway.Resilience.CircuitBreaking;

/// <summary>How circuits speak to people and to tags.</summary>
internal static class CircuitText
{
    public static string Of(TimeSpan duration) =>
        string.Create(CultureInfo.InvariantCulture, $"{duration.TotalSeconds:0.###} s");

    public static string Name(this CircuitState state) => state switch
    {
        CircuitState.Closed => "closed",
        CircuitState.Open => "open",
        CircuitState.HalfOpen => "half-open",
        _ => "isolated",
    };

    /// <summary>Greater is worse; also the value of the gauge.</summary>
    public static int Severity(this CircuitState state) => state switch
    {
        CircuitState.Closed => 0,
        CircuitState.HalfOpen => 1,
        CircuitState.Open => 2,
        _ => 3,
    };
}
