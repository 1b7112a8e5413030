using System.ComponentModel.DataAnnotations;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>Settings of the quorum store (<c>FenceGateway:TokenStore:Quorum</c>).</summary>
public sealed class QuorumTokenStoreOptions
{
    /// <summary>The fewest nodes of which one may be away.</summary>
    public const int MinNodes = 3;

    /// <summary>The most nodes; each is asked with every step.</summary>
    public const int MaxNodes = 9;

    /// <summary>
    /// Independent Redis masters, each as a StackExchange.Redis configuration string: <c>host:port</c> and options. All
    /// gateways of a fleet name the same ones. Their number is fixed for the life of the data: 3 to 9, odd numbers are
    /// the sensible ones.
    /// </summary>
    [Required, MinLength(MinNodes), MaxLength(MaxNodes)]
    public IReadOnlyList<string> Nodes { get; set; } = [];

    /// <summary>
    /// What all keys begin with, as the hash tag <c>{prefix}</c>: one prefix is one store. 1 to 32 of <c>a-z 0-9 _
    /// -</c>. Default <c>fg</c>.
    /// </summary>
    [Required, RegularExpression("^[a-z0-9_-]{1,32}$")]
    public string KeyPrefix { get; set; } = "fg";

    /// <summary>
    /// A PEM file with the certificates of the authorities that may have signed the servers', with <c>ssl=true</c>.
    /// Unset: those that the system trusts.
    /// </summary>
    public string? CertificateAuthority { get; set; }

    /// <summary>
    /// A PEM file with the certificate and the private key that the gateway shows to a server that asks for one. Unset:
    /// none.
    /// </summary>
    public string? ClientCertificate { get; set; }

    /// <summary>The user who signs in, at every node. Unset: the one of each configuration string.</summary>
    public string? User { get; set; }

    /// <summary>Gives the password, for each connection anew. Unset: the one of each configuration string.</summary>
    public Func<string>? Password { get; set; }
}
