namespace FenceGateway.TokenStore;

/// <summary>The store promises less than what is required. The message names both, why, and what to change.</summary>
public sealed class SafetyGradeException : Exception
{
    /// <summary>The store promises too little.</summary>
    public SafetyGradeException()
    {
    }

    /// <summary>The store promises too little, in the words given.</summary>
    public SafetyGradeException(string message)
        : base(message)
    {
    }

    /// <summary>
    /// The store promises too little, in the words given, because of <paramref name="innerException"/>.
    /// </summary>
    public SafetyGradeException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    internal static SafetyGradeException For(TokenStoreInfo info, SafetyGrade required) => new(
        $"TokenStore:RequireGrade is {required}, and {info.Provider} at {info.Location} has the grade {info.Grade}: "
        + $"{(info.GradeReasons.Count == 0 ? "no settings make it better" : string.Join("; ", info.GradeReasons))}.");
}
