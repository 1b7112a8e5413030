using System.Data.Common;
using FenceGateway.TokenStore.Sql;
using Npgsql;

namespace FenceGateway.TokenStore.Postgres;

/// <summary>The statements for one prefix. The steps themselves are functions: PostgresSchema.1.sql.</summary>
internal sealed class PostgresStatements(string prefix) : SqlStatements
{
    public override string StartSession { get; } = $"""
        INSERT INTO "{prefix}_sessions" (id, time_to_live, expires_at) VALUES ($1, $2, clock_timestamp() + $2)
        """;

    /// <summary>@session. A row: it lives.</summary>
    public string Prolong { get; } = $"""
        UPDATE "{prefix}_sessions" SET expires_at = clock_timestamp() + time_to_live
          WHERE id = $1 AND ended_at IS NULL AND expires_at > clock_timestamp() RETURNING 1
        """;

    /// <summary>@session.</summary>
    public string Revoked { get; } = $"""
        SELECT w.key, r.mark FROM "{prefix}_writers" w JOIN "{prefix}_resources" r ON r.key = w.key
          WHERE w.session = $1 AND w.revoked LIMIT {Heartbeat.MaxRevoked}
        """;

    public override string EndSession { get; } = $"""SELECT "{prefix}_end_session"($1)""";

    public override string Registrations { get; } =
        $"""SELECT key, sequence FROM "{prefix}_writers" WHERE session = $1 LIMIT $2""";

    public override string Enter { get; } = $"""SELECT * FROM "{prefix}_enter"($1, $2, $3, $4, $5, $6)""";

    /// <summary>@session, @keys, @sequences.</summary>
    public string Withdraw { get; } = $"""SELECT "{prefix}_withdraw"($1, $2, $3)""";

    public override string ReadMark { get; } = $"""
        SELECT r.sequence, coalesce(w.sequence, 0)
          FROM "{prefix}_resources" r
          LEFT JOIN "{prefix}_writers" w ON w.key = r.key AND w.session = $2
          WHERE r.key = $1
        """;

    public override string SetMark { get; } = $"""SELECT "{prefix}_set_mark"($1, $2, $3, $4, $5, $6, $7, $8)""";

    public override string Ended { get; } = $"""SELECT * FROM "{prefix}_ended"($1)""";

    public override string Count { get; } = $"""SELECT count(*) FROM "{prefix}_resources" """;

    public override string Find { get; } = Records(prefix, "WHERE key = $1");

    public override string ListAll { get; } = Records(prefix, "WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2");

    public override string List { get; } =
        Records(prefix, "WHERE key >= $3 AND key < $4 AND sequence < $1 ORDER BY sequence DESC LIMIT $2");

    public override string Forget { get; } = $"""DELETE FROM "{prefix}_sessions" WHERE id = $1""";

    public override string LongEnded { get; } = $"""
        SELECT id FROM "{prefix}_sessions"
          WHERE coalesce(ended_at, expires_at)
              < clock_timestamp() - interval '{EnterRequest.EndedIsKept.TotalHours} hours'
          LIMIT 16
        """;

    /// <summary>
    /// Parameters are bound by their order, as $1, $2 and so on: the driver rewrites a statement that names them.
    /// </summary>
    public override NpgsqlCommand Command(
        DbConnection connection, string text, params (string Name, object Value)[] parameters)
    {
        var command = new NpgsqlCommand(text, (NpgsqlConnection)connection);
        foreach (var (_, value) in parameters)
        {
            command.Parameters.Add(new() { Value = value });
        }

        return command;
    }

    private static string Records(string prefix, string which) => $"""
        SELECT r.key, r.mark, (extract(epoch FROM r.advanced_at) * 1000000)::bigint, r.sequence, w.session, w.token,
               CASE WHEN s.id IS NULL THEN {(long)EnterRequest.EndedIsKept.TotalMicroseconds}
                    WHEN s.ended_at IS NOT NULL OR s.expires_at <= clock_timestamp()
                    THEN greatest(0, (
                        extract(epoch FROM clock_timestamp() - coalesce(s.ended_at, s.expires_at)) * 1000000)::bigint)
                    END
          FROM (SELECT * FROM "{prefix}_resources" {which}) r
          LEFT JOIN "{prefix}_writers" w ON w.key = r.key
          LEFT JOIN "{prefix}_sessions" s ON s.id = w.session
          ORDER BY r.sequence DESC, w.session
        """;
}
