using System.ComponentModel;
using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Stores;

/// <summary>
/// As whom a gateway signs in at the servers of a store: settings of their own, so that nobody has to find a secret in
/// a text.
/// </summary>
internal class StoreSignIn
{
    [Description("The user who signs in. null: none, or the one that a connection string names.")]
    public string? User { get; set; }

    [Description("The password, as it is: no character of it means anything. null: none, or that of a connection "
        + "string.")]
    [Secret(SecretForm.Whole)]
    public string? Password { get; set; }

    [Description("A file with the password and nothing else, such as a mounted secret; line ends at its end do not "
        + "count. Read for each connection, so that another password is used without a restart. null: none.")]
    public string? PasswordFile { get; set; }

    /// <summary>Gives the password for a connection; null where it is not among these settings.</summary>
    public Func<string>? PasswordSource() => PasswordFile is { } file ? () => SecretFile.Read(file)
        : Password is { } password ? () => password
        : null;
}
