using FenceGateway.Gateway.Configuration;
namespace FenceGateway.Gateway.Stores;

/// <summary>What must hold of users and passwords: each is given once, in one place, and can be read.</summary>
internal static class SignInRules
{
    /// <param name="signIn">The settings.</param>
    /// <param name="path">Where they stand.</param>
    /// <param name="isChosen">Whether they are used: then a file has to be there.</param>
    /// <param name="problems">Gets what is wrong.</param>
    /// <param name="text">The connection string that may say the same, by its key, and whether it has a user and a
    /// password.</param>
    public static void Check(
        StoreSignIn signIn, string path, bool isChosen, List<ConfigProblem> problems,
        (string Key, bool HasUser, bool HasPassword) text = default)
    {
        var twice = $"is given by {text.Key} as well: give it once";
        Report(nameof(signIn.User), Empty(signIn.User) ?? (signIn.User is not null && text.HasUser ? twice : null));
        Report(
            nameof(signIn.Password),
            Empty(signIn.Password) ?? (signIn.Password is not null && text.HasPassword ? twice : null));
        Report(nameof(signIn.PasswordFile), signIn.PasswordFile is not { } file ? null
            : signIn.Password is not null ? "is given beside a Password: give one of the two"
            : text.HasPassword ? twice
            : isChosen && SecretFile.Fault(file) is { } fault ? $"is '{SecretText.Shown(file)}', which {fault}"
            : null);

        void Report(string key, string? wrong)
        {
            if (wrong is not null)
            {
                problems.Add(new($"{path}.{key}", wrong));
            }
        }
    }

    /// <summary>The same for a store at which nobody signs in without both.</summary>
    public static void CheckPair(StoreSignIn signIn, string path, bool isChosen, List<ConfigProblem> problems)
    {
        Check(signIn, path, isChosen, problems);
        var hasPassword = signIn.Password is not null || signIn.PasswordFile is not null;
        if (signIn.User is null && hasPassword)
        {
            problems.Add(new($"{path}.{nameof(signIn.User)}", "is required with a password"));
        }
        else if (signIn.User is not null && !hasPassword)
        {
            problems.Add(new($"{path}.{nameof(signIn.Password)}", "is required with a User, or a PasswordFile"));
        }
    }

    private static string? Empty(string? text) => text is "" ? "is empty; leave it out where there is none" : null;
}
