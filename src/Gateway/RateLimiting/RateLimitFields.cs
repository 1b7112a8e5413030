using System.Globalization;
using System.Text;

namespace FenceGateway.Gateway.RateLimiting;

/// <summary>
/// The fields of draft-ietf-httpapi-ratelimit-headers-11. A service's own are left alone, and then the gateway adds
/// none: its limit shows in its 429.
/// </summary>
internal sealed class RateLimitFields
{
    public const string PolicyName = "RateLimit-Policy";
    public const string LimitName = "RateLimit";

    private readonly string _policy;
    private readonly string _limit;

    public RateLimitFields(RateLimitPolicy policy)
    {
        var name = Quote(policy.Name);
        _limit = $"{name};r=";
        _policy = $"{name};q={policy.PermitLimit.ToString(CultureInfo.InvariantCulture)}" + policy switch
        {
            { HoldsPermits: true } => ";qu=\"concurrent-requests\"",
            // The draft knows whole seconds only; another number would be another limit.
            { Window.Ticks: var ticks } when ticks % TimeSpan.TicksPerSecond != 0 => "",
            _ => $";w={((long)policy.Window.TotalSeconds).ToString(CultureInfo.InvariantCulture)}",
        };
    }

    /// <summary>Adds the fields to an answer that has none of its own.</summary>
    public void AddTo(IHeaderDictionary headers, RateLimitReading reading)
    {
        if (headers.ContainsKey(LimitName) || headers.ContainsKey(PolicyName))
        {
            return;
        }

        headers[PolicyName] = _policy;
        headers[LimitName] = reading.Next is { } next
            ? string.Create(CultureInfo.InvariantCulture, $"{_limit}{reading.Remaining};t={Seconds(next)}")
            : string.Create(CultureInfo.InvariantCulture, $"{_limit}{reading.Remaining}");
    }

    private static long Seconds(TimeSpan time) => (long)Math.Ceiling(time.TotalSeconds);

    /// <summary>A string of RFC 8941, section 4.1.6; the name is printable ASCII.</summary>
    private static string Quote(string name)
    {
        var quoted = new StringBuilder("\"");
        foreach (var c in name)
        {
            if (c is '"' or '\\')
            {
                quoted.Append('\\');
            }

            quoted.Append(c);
        }

        return quoted.Append('"').ToString();
    }
}
