using System.ComponentModel.DataAnnotations;

namespace FenceGateway.TokenStore.Etcd;

/// <summary>Settings of the etcd store (<c>FenceGateway:TokenStore:Etcd</c>).</summary>
public sealed class EtcdTokenStoreOptions
{
    /// <summary>
    /// Client addresses of the members, <c>http://host:2379</c> or <c>https://…</c>, without user or path. All of them:
    /// the store goes on with the next when one does not answer. 1 … 16.
    /// </summary>
    [Required]
    [Length(1, 16)]
    public IReadOnlyList<string> Endpoints { get; set; } = [];

    /// <summary>What all keys begin with: <c>fg/mark/orders/42</c>. Gateways with the same prefix fence as one.
    /// <c>[a-z0-9_-]{1,32}</c>, default <c>fg</c>.</summary>
    [Required]
    [RegularExpression("[a-z0-9_-]{1,32}")]
    public string KeyPrefix { get; set; } = "fg";

    /// <summary>
    /// A PEM file with the certificates of the authorities that may have signed those of members at <c>https://</c>.
    /// Read for each connection. Unset: those that the system trusts.
    /// </summary>
    public string? CertificateAuthority { get; set; }

    /// <summary>A PEM file with the certificate and the private key that the gateway shows to members that ask for one
    /// (<c>--client-cert-auth</c>). Read for each connection. Unset: none.</summary>
    public string? ClientCertificate { get; set; }

    /// <summary>
    /// The user, when etcd asks for one (<c>etcdctl auth enable</c>). It needs read and write access to the prefix.
    /// </summary>
    public string? UserName { get; set; }

    /// <summary>Gives the user's password, for each log-in anew.</summary>
    public Func<string>? Password { get; set; }
}
