using System.Data.Common;
using FenceGateway.TokenStore.Sql;
using MySqlConnector;

namespace FenceGateway.TokenStore.MySql;

/// <summary>The statements for one prefix. The steps themselves are procedures: MySqlSchema.1.sql.</summary>
internal sealed class MySqlStatements(string prefix) : SqlStatements
{
    private static readonly long EndedIsKept = (long)EnterRequest.EndedIsKept.TotalMicroseconds;

    private const string Now = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))";

    public override string StartSession { get; } = $"CALL `{prefix}_start_session`(@session, @timeToLive)";

    public string Heartbeat { get; } = $"CALL `{prefix}_heartbeat`(@session)";

    public override string EndSession { get; } = $"CALL `{prefix}_end_session`(@session)";

    public override string Registrations { get; } =
        $"SELECT resource, sequence FROM `{prefix}_writers` WHERE session = @session LIMIT @limit";

    public override string Enter { get; } =
        $"CALL `{prefix}_enter`(@resource, @session, @token, @oldest, @sequence, @hold)";

    public override string ReadMark { get; } = $"""
        SELECT r.sequence, COALESCE(w.sequence, 0)
          FROM `{prefix}_resources` r LEFT JOIN `{prefix}_writers` w ON w.resource = r.resource AND w.session = @session
          WHERE r.resource = @resource
        """;

    public override string SetMark { get; } =
        $"CALL `{prefix}_set_mark`(@resource, @session, @mark, @hold, @read, @own, @actor, @reason)";

    public override string Ended { get; } = $"CALL `{prefix}_ended`(@resource)";

    public override string Count { get; } = $"SELECT COUNT(*) FROM `{prefix}_resources`";

    public override string Find { get; } = Records(prefix, "WHERE resource = @resource");

    public override string ListAll { get; } = Records(
        prefix, "WHERE sequence < @before ORDER BY sequence DESC LIMIT @limit");

    public override string List { get; } = Records(
        prefix,
        "WHERE resource >= @from AND resource < @until AND sequence < @before ORDER BY sequence DESC LIMIT @limit");

    public string LastChange { get; } = $"SELECT COALESCE(MAX(id), 0) FROM `{prefix}_changes`";

    public string Changes { get; } =
        $"SELECT id, resource, mark, risen FROM `{prefix}_changes` WHERE id > @after ORDER BY id LIMIT 1000";

    public string ForgetChanges { get; } = $"DELETE FROM `{prefix}_changes` WHERE id < @before ORDER BY id LIMIT 1000";

    public override string Forget { get; } = $"DELETE FROM `{prefix}_sessions` WHERE id = @session";

    public override string LongEnded { get; } =
        $"SELECT id FROM `{prefix}_sessions` WHERE COALESCE(ended_at, expires_at) < {Now} - {EndedIsKept} LIMIT 16";

    /// <summary>
    /// All in one transaction and one round trip; the resources in the order of their keys, as locks are taken.
    /// </summary>
    public string Withdraw(int count) => string.Concat(
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION; ",
        string.Concat(Enumerable.Range(0, count).Select(i => $"CALL `{prefix}_withdraw`(@r{i}, @session, @s{i}); ")),
        "COMMIT");

    /// <summary>
    /// Parameters are bound by their names. The tables keep times, and how long something lasts, in microseconds.
    /// </summary>
    public override MySqlCommand Command(
        DbConnection connection, string text, params (string Name, object Value)[] parameters)
    {
        var command = new MySqlCommand(text, (MySqlConnection)connection);
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(
                name, value is TimeSpan time ? time.Ticks / TimeSpan.TicksPerMicrosecond : value);
        }

        return command;
    }

    private static string Records(string prefix, string which) => $"""
        SELECT r.resource, r.mark, r.advanced_at, r.sequence, w.session, w.token,
               CASE WHEN s.id IS NULL THEN {EndedIsKept}
                    WHEN s.ended_at IS NOT NULL OR s.expires_at <= {Now}
                    THEN GREATEST(0, {Now} - COALESCE(s.ended_at, s.expires_at)) END
          FROM (SELECT * FROM `{prefix}_resources` {which}) r
          LEFT JOIN `{prefix}_writers` w ON w.resource = r.resource
          LEFT JOIN `{prefix}_sessions` s ON s.id = w.session
          ORDER BY r.sequence DESC, w.session
        """;
}
