namespace FenceGateway.TokenStore.Postgres;

/// <summary>The statements for one prefix. The steps themselves are functions: PostgresSchema.1.sql.</summary>
internal sealed class PostgresStatements(string prefix)
{
    /// <summary>$1 session, $2 time to live.</summary>
    public string StartSession { get; } = $"""
        INSERT INTO "{prefix}_sessions" (id, time_to_live, expires_at) VALUES ($1, $2, clock_timestamp() + $2)
        """;

    /// <summary>$1 session. A row: it lives.</summary>
    public string Prolong { get; } = $"""
        UPDATE "{prefix}_sessions" SET expires_at = clock_timestamp() + time_to_live
          WHERE id = $1 AND ended_at IS NULL AND expires_at > clock_timestamp() RETURNING 1
        """;

    /// <summary>$1 session.</summary>
    public string Revoked { get; } = $"""
        SELECT w.key, r.mark FROM "{prefix}_writers" w JOIN "{prefix}_resources" r ON r.key = w.key
          WHERE w.session = $1 AND w.revoked LIMIT {Heartbeat.MaxRevoked}
        """;

    /// <summary>$1 session.</summary>
    public string EndSession { get; } = $"""SELECT "{prefix}_end_session"($1)""";

    /// <summary>$1 session, $2 at most so many.</summary>
    public string Registrations { get; } = $"""SELECT key, sequence FROM "{prefix}_writers" WHERE session = $1 LIMIT $2""";

    /// <summary>$1 key, $2 session, $3 token, $4 oldest, $5 sequence, $6 hold. Status, mark, microseconds to wait, held elsewhere.</summary>
    public string Enter { get; } = $"""SELECT * FROM "{prefix}_enter"($1, $2, $3, $4, $5, $6)""";

    /// <summary>$1 session, $2 keys, $3 sequences.</summary>
    public string Withdraw { get; } = $"""SELECT "{prefix}_withdraw"($1, $2, $3)""";

    /// <summary>$1 key, $2 session. The sequences of the mark and of the session's registration.</summary>
    public string ReadMark { get; } = $"""
        SELECT r.sequence, coalesce(w.sequence, 0)
          FROM "{prefix}_resources" r LEFT JOIN "{prefix}_writers" w ON w.key = r.key AND w.session = $2 WHERE r.key = $1
        """;

    /// <summary>$1 key, $2 session, $3 mark, $4 hold, $5 and $6 the sequences as they were read, $7 actor, $8 reason.</summary>
    public string SetMark { get; } = $"""SELECT "{prefix}_set_mark"($1, $2, $3, $4, $5, $6, $7, $8)""";

    /// <summary>$1 key. Sessions and sequences.</summary>
    public string Ended { get; } = $"""SELECT * FROM "{prefix}_ended"($1)""";

    public string Count { get; } = $"""SELECT count(*) FROM "{prefix}_resources" """;

    /// <summary>$1 key.</summary>
    public string Find { get; } = Records(prefix, "WHERE key = $1");

    /// <summary>$1 before, $2 limit.</summary>
    public string ListAll { get; } = Records(prefix, "WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2");

    /// <summary>$1 before, $2 limit, $3 from key, $4 until key.</summary>
    public string List { get; } =
        Records(prefix, "WHERE key >= $3 AND key < $4 AND sequence < $1 ORDER BY sequence DESC LIMIT $2");

    /// <summary>$1 session.</summary>
    public string Forget { get; } = $"""DELETE FROM "{prefix}_sessions" WHERE id = $1""";

    /// <summary>Some sessions that ended longer ago than any InDoubtHold: what they left counts for nobody.</summary>
    public string LongEnded { get; } = $"""
        SELECT id FROM "{prefix}_sessions" WHERE coalesce(ended_at, expires_at) < clock_timestamp() - interval '25 hours' LIMIT 16
        """;

    private static string Records(string prefix, string which) => $"""
        SELECT r.key, r.mark, (extract(epoch FROM r.advanced_at) * 1000000)::bigint, r.sequence, w.session, w.token,
               CASE WHEN s.id IS NULL THEN 90000000000
                    WHEN s.ended_at IS NOT NULL OR s.expires_at <= clock_timestamp()
                    THEN greatest(0, (extract(epoch FROM clock_timestamp() - coalesce(s.ended_at, s.expires_at)) * 1000000)::bigint) END
          FROM (SELECT * FROM "{prefix}_resources" {which}) r
          LEFT JOIN "{prefix}_writers" w ON w.key = r.key
          LEFT JOIN "{prefix}_sessions" s ON s.id = w.session
          ORDER BY r.sequence DESC, w.session
        """;
}
