using System.Data.Common;

namespace FenceGateway.TokenStore.Sql;

/// <summary>
/// The statements that the stores have in common, for one prefix. Their parameters are given by name and in the order
/// told here: one database binds them by the name, another by the order.
/// </summary>
internal abstract class SqlStatements
{
    /// <summary>@session, @timeToLive.</summary>
    public abstract string StartSession { get; }

    /// <summary>@session.</summary>
    public abstract string EndSession { get; }

    /// <summary>@session, @limit. Resources and sequences.</summary>
    public abstract string Registrations { get; }

    /// <summary>
    /// @resource, @session, @token, @oldest, @sequence, @hold. Status, mark, microseconds to wait, held elsewhere.
    /// </summary>
    public abstract string Enter { get; }

    /// <summary>@resource, @session. The sequences of the mark and of the session's registration.</summary>
    public abstract string ReadMark { get; }

    /// <summary>
    /// @resource, @session, @mark, @hold, @read and @own (the sequences as they were read), @actor, @reason.
    /// </summary>
    public abstract string SetMark { get; }

    /// <summary>@resource. Sessions and sequences.</summary>
    public abstract string Ended { get; }

    public abstract string Count { get; }

    /// <summary>@resource. As <see cref="SqlRecords"/> reads them.</summary>
    public abstract string Find { get; }

    /// <summary>@before, @limit.</summary>
    public abstract string ListAll { get; }

    /// <summary>@before, @limit, @from, @until.</summary>
    public abstract string List { get; }

    /// <summary>Some sessions that ended longer ago than any InDoubtHold: what they left counts for nobody.</summary>
    public abstract string LongEnded { get; }

    /// <summary>@session.</summary>
    public abstract string Forget { get; }

    public abstract DbCommand Command(
        DbConnection connection, string text, params (string Name, object Value)[] parameters);

    public async Task<int> ExecuteAsync(
        DbConnection connection, string sql, CancellationToken cancellationToken, params (string, object)[] parameters)
    {
        await using var command = Command(connection, sql, parameters);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task<object?> ScalarAsync(
        DbConnection connection, string sql, CancellationToken cancellationToken, params (string, object)[] parameters)
    {
        await using var command = Command(connection, sql, parameters);
        return await command.ExecuteScalarAsync(cancellationToken);
    }

    public async Task<List<T>> RowsAsync<T>(
        DbConnection connection, string sql, Func<DbDataReader, T> read, CancellationToken cancellationToken,
        params (string, object)[] parameters)
    {
        await using var command = Command(connection, sql, parameters);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        List<T> rows = [];
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(read(reader));
        }

        return rows;
    }
}
