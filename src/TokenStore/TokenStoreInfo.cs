namespace FenceGateway.TokenStore;

/// <summary>What a store promises, weakest first (docs/protocol.md, "Safety grades").</summary>
public enum SafetyGrade
{
    /// <summary>Marks are lost with the process. For tests.</summary>
    Volatile,

    /// <summary>A failover of the store may lower a mark.</summary>
    BestEffort,

    /// <summary>I1–I9 until the store's own data is lost.</summary>
    Single,

    /// <summary>I1–I9 through crash and failover.</summary>
    Strict,
}

/// <summary>What a store is.</summary>
/// <param name="Provider">The provider's name, as in the configuration.</param>
/// <param name="Grade">What it promises.</param>
/// <param name="Location">Where its data is, for people; never a secret.</param>
/// <param name="GradeReasons">Why the grade is not higher and what to change, a sentence each.</param>
public sealed record TokenStoreInfo(
    string Provider, SafetyGrade Grade, string Location, IReadOnlyList<string> GradeReasons)
{
    /// <summary>A store whose grade needs no words.</summary>
    public TokenStoreInfo(string provider, SafetyGrade grade, string location)
        : this(provider, grade, location, [])
    {
    }
}
