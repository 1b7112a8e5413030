using System.ComponentModel.DataAnnotations;

namespace FenceGateway.TokenStore.MySql;

/// <summary>Settings of the MySQL and MariaDB store (<c>FenceGateway:TokenStore:MySql</c>).</summary>
public sealed class MySqlTokenStoreOptions
{
    /// <summary>
    /// MySqlConnector's connection string: <c>Server=…;Database=…;User Id=…</c>. The server that takes the writes,
    /// never a replica. <c>Maximum Pool Size</c> bounds the connections for steps; default here: 16, and 4 more keep
    /// the session.
    /// </summary>
    [Required]
    public string ConnectionString { get; set; } = "";

    /// <summary>
    /// What the names of tables and procedures begin with. Gateways with the same prefix in the same database fence as
    /// one. <c>[a-z0-9_-]{1,32}</c>, default <c>fg</c>.
    /// </summary>
    [Required]
    [RegularExpression("[a-z0-9_-]{1,32}")]
    public string KeyPrefix { get; set; } = "fg";

    /// <summary>
    /// Gives the password, for each connection anew; the connection string has none then. Unset: the one of that
    /// string.
    /// </summary>
    public Func<string>? Password { get; set; }
}
