using System.ComponentModel.DataAnnotations;

namespace FenceGateway.TokenStore.Postgres;

/// <summary>Settings of the PostgreSQL store (<c>FenceGateway:TokenStore:Postgres</c>).</summary>
public sealed class PostgresTokenStoreOptions
{
    /// <summary>
    /// Npgsql's connection string: <c>Host=…;Database=…;Username=…</c>. Several hosts with <c>Target Session
    /// Attributes=primary</c> find the primary after a failover. <c>Maximum Pool Size</c> bounds the connections for
    /// steps; default here: 16, and 4 more keep the session.
    /// </summary>
    [Required]
    public string ConnectionString { get; set; } = "";

    /// <summary>
    /// What the names of tables, functions and the notification channel begin with. Gateways with the same prefix in
    /// the same schema fence as one. <c>[a-z0-9_-]{1,32}</c>, default <c>fg</c>.
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
