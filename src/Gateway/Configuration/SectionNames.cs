namespace FenceGateway.Gateway.Configuration;

/// <summary>Names of the sections that rules in several folders point to.</summary>
internal static class SectionNames
{
    public const string Gateway = "FenceGateway";

    /// <summary>YARP's.</summary>
    public const string ReverseProxy = "ReverseProxy";

    public const string Admin = "Admin";

    public const string TokenStore = "TokenStore";

    public const string FencingPolicies = "FencingPolicies";

    public const string ResiliencePolicies = "ResiliencePolicies";

    public const string RateLimiterPolicies = "RateLimiterPolicies";

    public const string CorsPolicies = "CorsPolicies";

    public const string Chaos = "Chaos";

    public const string Requests = "Requests";
}
