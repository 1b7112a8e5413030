using System.ComponentModel.DataAnnotations;

namespace FenceGateway.TokenStore.Redis;

/// <summary>Settings of the Redis store (<c>FenceGateway:TokenStore:Redis</c>).</summary>
public sealed class RedisTokenStoreOptions
{
    /// <summary>
    /// A StackExchange.Redis configuration string: <c>host:port</c>, several of them for one master and its replicas,
    /// for a cluster, or Sentinels with <c>serviceName=</c>, and options such as <c>user=</c>, <c>password=</c>,
    /// <c>ssl=true</c>, <c>defaultDatabase=</c>. Default <c>127.0.0.1:6379</c>.
    /// </summary>
    [Required]
    public string Configuration { get; set; } = "127.0.0.1:6379";

    /// <summary>
    /// What all keys begin with, as the hash tag <c>{prefix}</c>: one prefix is one store. 1 to 32 of <c>a-z 0-9 _
    /// -</c>. Default <c>fg</c>.
    /// </summary>
    [Required, RegularExpression("^[a-z0-9_-]{1,32}$")]
    public string KeyPrefix { get; set; } = "fg";

    /// <summary>
    /// A PEM file with the certificates of the authorities that may have signed the server's, with <c>ssl=true</c>.
    /// Unset: those that the system trusts.
    /// </summary>
    public string? CertificateAuthority { get; set; }

    /// <summary>
    /// A PEM file with the certificate and the private key that the gateway shows to a server that asks for one. Unset:
    /// none.
    /// </summary>
    public string? ClientCertificate { get; set; }

    /// <summary>The user who signs in. Unset: the one of the configuration string.</summary>
    public string? User { get; set; }

    /// <summary>Gives the password, for each connection anew. Unset: the one of the configuration string.</summary>
    public Func<string>? Password { get; set; }

    /// <summary>The user at Sentinels. Unset: the one of the configuration string.</summary>
    public string? SentinelUser { get; set; }

    /// <summary>
    /// Gives the password for Sentinels, with each opening anew. Unset: the one of the configuration string.
    /// </summary>
    public Func<string>? SentinelPassword { get; set; }
}
